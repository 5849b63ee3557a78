"""Machines without a secret of ours: the ID token that their CI gives them is the password of `docker login -u oidc`."""
