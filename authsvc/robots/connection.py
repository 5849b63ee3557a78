"""What to paste where, so that a client, a cluster or a CI pulls and pushes: by tool, with the names of a project and a login.
Pure.

Sources: each tool's own documentation of private registries. Who reads a secret from a prompt gets none written down.
"""

from __future__ import annotations

import base64
import json
import shlex
from dataclasses import dataclass

PASSWORD = "PASSWORD"  # noqa: S105 - where one belongs
_GITHUB = "https://token.actions.githubusercontent.com"


@dataclass(frozen=True, slots=True)
class Login:
    """Whoever connects. `host` as in image names; `own_authority`: clients have to be given the certificate's authority."""

    host: str
    project: str
    username: str
    secret: str = PASSWORD
    own_authority: bool = False

    @property
    def image(self) -> str:
        return f"{self.host}/{self.project}/IMAGE:TAG"

    @property
    def basic(self) -> str:
        """As `auth` in docker's configuration."""
        return base64.b64encode(f"{self.username}:{self.secret}".encode()).decode()


@dataclass(frozen=True, slots=True)
class Part:
    """Something to paste: into a file (`where`), or into a shell (`where` is "")."""

    where: str
    text: str


def clients(login: Login) -> dict[str, tuple[Part, ...]]:
    """What people run."""
    user, image, place = shlex.quote(login.username), login.image, f"{login.host}/{login.project}"
    return {
        "docker": _shell(f"docker login {login.host} --username {user}", f"docker tag IMAGE:TAG {image}", f"docker push {image}"),
        "podman": _shell(f"podman login {login.host} --username {user}", f"podman push IMAGE:TAG {image}"),
        "nerdctl": _shell(
            f"nerdctl login {login.host} --username {user}", f"nerdctl tag IMAGE:TAG {image}", f"nerdctl push {image}"
        ),
        "skopeo": _shell(
            f"skopeo login {login.host} --username {user}", f"skopeo copy --all docker://SOURCE/IMAGE:TAG docker://{image}"
        ),
        "crictl": _shell(f"crictl pull --creds {shlex.quote(f'{login.username}:{login.secret}')} {image}"),
        "Helm": _shell(f"helm registry login {login.host} --username {user}", f"helm push CHART-VERSION.tgz oci://{place}"),
        "ORAS": _shell(f"oras login {login.host} --username {user}", f"oras push {place}/NAME:TAG FILE"),
    }


def machines(login: Login) -> dict[str, tuple[Part, ...]]:
    """Nodes and clusters, which pull by themselves."""
    user, secret = shlex.quote(login.username), shlex.quote(login.secret)
    authority = f"/etc/containerd/certs.d/{login.host}/ca.crt"
    hosts = [
        f"server = {_quoted(f'https://{login.host}')}",
        "",
        f"[host.{_quoted(f'https://{login.host}')}]",
        '  capabilities = ["pull", "resolve"]',
        *([f"  ca = {_quoted(authority)}"] if login.own_authority else []),
        f"  [host.{_quoted(f'https://{login.host}')}.header]",
        f"    authorization = {_quoted(f'Basic {login.basic}')}",
    ]
    trusted = [f"      ca_file: {_quoted(authority)}"] if login.own_authority else []
    k3s = [
        "configs:",
        f"  {_quoted(login.host)}:",
        "    auth:",
        f"      username: {_quoted(login.username)}",
        f"      password: {_quoted(login.secret)}",
        *(["    tls:", *trusted] if trusted else []),
    ]
    return {
        "Kubernetes": _shell(
            f"kubectl create secret docker-registry tidegate --docker-server={login.host} --docker-username={user} "
            f"--docker-password={secret}",
            'kubectl patch serviceaccount default -p \'{"imagePullSecrets": [{"name": "tidegate"}]}\'',
        ),
        "containerd": (Part(f"/etc/containerd/certs.d/{login.host}/hosts.toml", _lines(*hosts)),),
        "k3s": (Part("/etc/rancher/k3s/registries.yaml", _lines(*k3s)),),
        "Flux": (
            *_shell(
                f"flux create secret oci tidegate --namespace=flux-system --url={login.host} --username={user} "
                f"--password={secret}"
            ),
            Part("image-repository.yaml", _flux(login)),
        ),
        "Argo CD": _shell(
            f"argocd repo add {login.host}/{login.project} --type helm --enable-oci --name {login.project} --username {user} "
            f"--password {secret}"
        ),
    }


def pipelines(login: Login) -> dict[str, tuple[Part, ...]]:
    """CI, with the secret where the CI keeps its secrets."""
    user = shlex.quote(login.username)
    stored = _shell("gh secret set TIDEGATE_PASSWORD")
    docker_config = json.dumps({"auths": {login.host: {"auth": login.basic}}}, indent=2)
    renovate = {
        "hostRules": [{"hostType": "docker", "matchHost": login.host, "username": login.username, "password": login.secret}]
    }
    return {
        "GitHub Actions": (*stored, Part(".github/workflows/image.yaml", _github(login))),
        "GitLab CI": (
            Part(
                ".gitlab-ci.yml",
                _gitlab(login, f"""echo "$TIDEGATE_PASSWORD" | docker login {login.host} --username {user} --password-stdin"""),
            ),
        ),
        "Jenkins": (Part("Jenkinsfile", _jenkins(login)),),
        "Kaniko": (
            Part("/kaniko/.docker/config.json", _lines(docker_config)),
            *_shell(f"/kaniko/executor --context=dir:///workspace --destination={login.image}"),
        ),
        "Renovate": (Part("config.json", _lines(json.dumps(renovate, indent=2))),),
    }


def keyless(login: Login) -> dict[str, tuple[Part, ...]]:
    """CI that shows who it is: nobody stores a secret, and a rule says which jobs are let in."""

    def rule(issuer: str, claim: str) -> tuple[Part, ...]:
        return _shell(
            f"authsvc trust add {login.project}-ci --issuer {issuer} --audience {login.host} --claim {claim} "
            f"--project {login.project} --action pull --action push"
        )

    asked = '"$ACTIONS_ID_TOKEN_REQUEST_URL&audience=' + login.host + '"'
    github = _lines(
        "on: push",
        "permissions: {contents: read, id-token: write}",
        "jobs:",
        "  image:",
        "    runs-on: ubuntu-latest",
        "    steps:",
        "      - uses: actions/checkout@v4",
        "      - run: |",
        f'          curl -sSfH "Authorization: bearer $ACTIONS_ID_TOKEN_REQUEST_TOKEN" {asked} |',
        f"            jq -r .value | docker login {login.host} --username oidc --password-stdin",
        f"          docker build -t {_here(login)}:$GITHUB_SHA . && docker push {_here(login)}:$GITHUB_SHA",
    )
    tokens = ("  id_tokens:", f"    TIDEGATE_TOKEN: {{aud: {_quoted(login.host)}}}")
    command = f"""echo "$TIDEGATE_TOKEN" | docker login {login.host} --username oidc --password-stdin"""
    return {
        "GitHub Actions": (*rule(_GITHUB, "repository=OWNER/REPOSITORY"), Part(".github/workflows/image.yaml", github)),
        "GitLab CI": (
            *rule("https://gitlab.com", "project_path=GROUP/PROJECT"),
            Part(".gitlab-ci.yml", _gitlab(login, command, *tokens)),
        ),
    }


def _quoted(text: str) -> str:
    """As JSON, YAML and TOML have it."""
    return json.dumps(text)


def _lines(*lines: str) -> str:
    return "\n".join(lines)


def _shell(*lines: str) -> tuple[Part, ...]:
    return (Part("", _lines(*lines)),)


def _here(login: Login) -> str:
    return f"{login.host}/{login.project}/IMAGE"


def _flux(login: Login) -> str:
    return _lines(
        "apiVersion: image.toolkit.fluxcd.io/v1beta2",
        "kind: ImageRepository",
        "metadata: {name: app, namespace: flux-system}",
        "spec:",
        f"  image: {_quoted(_here(login))}",
        "  interval: 5m",
        "  secretRef: {name: tidegate}",
    )


def _github(login: Login) -> str:
    return _lines(
        "on: push",
        "jobs:",
        "  image:",
        "    runs-on: ubuntu-latest",
        "    steps:",
        "      - uses: actions/checkout@v4",
        "      - uses: docker/login-action@v3",
        "        with:",
        f"          registry: {_quoted(login.host)}",
        f"          username: {_quoted(login.username)}",
        "          password: ${{ secrets.TIDEGATE_PASSWORD }}",
        "      - uses: docker/build-push-action@v6",
        "        with:",
        "          push: true",
        f"          tags: {_here(login)}:${{{{ github.sha }}}}",
    )


def _gitlab(login: Login, command: str, *more: str) -> str:
    return _lines(
        "image:",
        "  image: docker:27",
        "  services: [docker:27-dind]",
        *more,
        "  script:",
        f"    - {_quoted(command)}",
        f"    - {_quoted(f'docker build -t {_here(login)}:$CI_COMMIT_SHA . && docker push {_here(login)}:$CI_COMMIT_SHA')}",
    )


def _jenkins(login: Login) -> str:
    """`tidegate`: credentials of the kind "username with password"."""
    return _lines(
        "node {",
        "  checkout scm",
        f"  docker.withRegistry('https://{login.host}', 'tidegate') {{",
        f'    docker.build("{_here(login)}:${{env.BUILD_NUMBER}}").push()',
        "  }",
        "}",
    )
