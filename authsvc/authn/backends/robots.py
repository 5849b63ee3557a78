"""Robots whose secret somebody chose; secrets that we made are recognised before."""

from __future__ import annotations

from authsvc.authn.credentials import Basic
from authsvc.authn.identity import Identity
from authsvc.core.db import reading
from authsvc.core.errors import InvalidCredentials
from authsvc.rbac.authority import Authority, Credential
from authsvc.robots import service as robots
from authsvc.robots.rules import split_name
from authsvc.users import passwords


def authenticate(credential: Basic) -> Identity | None:
    """A robot's name and its secret; None for any name that is no robot's.

    Raises:
        InvalidCredentials: no such robot, or not its secret; nobody learns which.
    """
    prefix = credential.robot_prefix
    if split_name(prefix, credential.username) is None:
        return None
    with reading():
        robot = robots.find(credential.username, prefix)
        if robot is None and not credential.username.startswith(prefix):
            return None
        known = robot.secret_hash if robot else None
        identity = Identity(robot.id, robot.epoch, Authority(Credential.ROBOT), kind="robot") if robot else None
    if not passwords.verify(known, credential.secret) or identity is None:
        raise InvalidCredentials("the robot's name or secret is not right")
    return identity
