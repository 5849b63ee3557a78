"""Users: verbs and queries."""

from __future__ import annotations

import re
from typing import Any

from sqlalchemy import Select, func, select, update
from sqlalchemy import delete as delete_rows

from authsvc.audit import service as audit
from authsvc.configuration import service as configuration
from authsvc.core.db import db, utcnow
from authsvc.core.errors import BadRequest, Conflict, Forbidden, NotFound, PreconditionFailed
from authsvc.users import names, passwords
from authsvc.users.models import User, UserIdentity
from authsvc.users.passwords import Chosen

BUILT_IN_ADMIN = 1
_EMAIL = re.compile(r"[^@\s]+@[^@\s]+")
_NO_EMAIL, _EMAIL_TAKEN = "that is no e-mail address", "another user has that e-mail address"


def create(
    actor: str,
    *,
    username: str,
    password: Chosen | None,
    email: str | None = None,
    realname: str = "",
    comment: str = "",
    sysadmin: bool = False,
    temporary: bool = False,
    fits: bool = False,
) -> User:
    """A new user; `temporary`: the password was generated, and its owner must change it at the pages. `fits`: the name is not
    given to him here and now, and whoever calls has seen to it.

    Raises:
        BadRequest: name or e-mail against the rules, or the name as password.
        Conflict: name (whatever the case) or e-mail is taken, be it as the other of the two.
    """
    if not fits:
        check_new(username, password.text if password else None, email)
    if email is not None and not email_is_free(email):
        raise Conflict(_EMAIL_TAKEN)
    require_free(username, also_as_email=not fits)
    user = User(
        username=username,
        name_key=names.key(username),
        email=email,
        realname=realname,
        comment=comment,
        sysadmin=sysadmin,
        password_hash=password.hash if password is not None else None,
        password_temporary=temporary,
    )
    db.session.add(user)
    db.session.flush()
    audit.record(actor, "create", "user", username)
    return user


def check_new(username: str, password: str | None, email: str | None) -> None:
    """What can be said of a new user without telling who is there already.

    Raises:
        BadRequest: name, e-mail or password against the rules.
    """
    names.check_chosen(username, robot_prefix())
    if email is not None and not is_email(email):
        raise BadRequest(_NO_EMAIL)
    if password is not None:
        passwords.check_rules(password, username)


def get(user_id: int) -> User:
    """A user by id.

    Raises:
        NotFound: none, or deleted.
    """
    user = db.session.get(User, user_id)
    if user is None or user.deleted:
        raise NotFound(f"user {user_id} not found")
    return user


def find(login: str) -> User | None:
    """The user who logs in with this name or e-mail, or None."""
    user = find_by_name(login)
    if user is None and "@" in login:
        user = db.session.scalar(select(User).where(func.lower(User.email) == login.lower(), User.deleted.is_(False)))
    return user


def find_by_name(username: str) -> User | None:
    """A user by name, or None."""
    user: User | None = db.session.scalar(select(User).where(User.name_key == names.key(username), User.deleted.is_(False)))
    return user


def require_no_name_like(start: str) -> None:
    """Nobody may have a name that begins like this: it is to mean something else.

    Raises:
        BadRequest: somebody has.
    """
    taken = db.session.scalar(all_users().where(User.name_key.startswith(start, autoescape=True)).limit(1))
    if taken is not None:
        raise BadRequest(f"{taken.username} is a user; no names of users may begin with {start}")


def get_by_name(username: str) -> User:
    """A user by name.

    Raises:
        NotFound
    """
    user = find_by_name(username)
    if user is None:
        raise NotFound(f"user {username} not found")
    return user


def all_users() -> Select[Any]:
    """Every user who is not deleted."""
    return select(User).where(User.deleted.is_(False))


def matching(text: str) -> Select[Any]:
    """Users whose name contains `text`, for those who pick members."""
    return all_users().where(User.username.icontains(text, autoescape=True))


def update_profile(
    actor: str, user: User, *, email: str | None = None, realname: str | None = None, comment: str | None = None
) -> None:
    """Change what people see of a user; None leaves a field as it is.

    Raises:
        BadRequest, Conflict: the e-mail.
    """
    if email is not None:
        if not is_email(email):
            raise BadRequest(_NO_EMAIL)
        if not email_is_free(email, user.id):
            raise Conflict(_EMAIL_TAKEN)
        user.email = email
    if realname is not None:
        user.realname = realname
    if comment is not None:
        user.comment = comment
    audit.record(actor, "update", "user", user.username, description="profile")


def forget_email(user: User) -> None:
    """He has none any more; part of a change of the profile."""
    user.email = None


def require_local(user: User) -> None:
    """
    Raises:
        PreconditionFailed: he has his password elsewhere.
    """
    if user.origin is not None:
        raise PreconditionFailed(f"the password of this user lives in the {user.origin.kind} source {user.origin.source}")


def set_password(
    actor: str, user: User, password: Chosen, *, old: str | None = None, temporary: bool = False, as_cli_secret: bool = False
) -> None:
    """Set a password; every refresh token of the user dies. `old`: the present one, where it had to be shown; `as_cli_secret`: of
    somebody who comes from a provider, in its place where there is no browser.

    Raises:
        BadRequest: it is the old one again, or the user's name.
        PreconditionFailed: he has his password elsewhere.
    """
    if not as_cli_secret:
        require_local(user)
    if old == password.text:
        raise BadRequest("the new password is the old one")
    passwords.check_rules(password.text, user.username)
    user.password_hash = password.hash
    user.password_temporary = temporary
    user.epoch += 1
    audit.record(actor, "update", "user", user.username, description="password")


def forget_password(actor: str, user: User) -> None:
    """The password is good no more, nor what was logged in with it."""
    user.password_hash = None
    user.epoch += 1
    audit.record(actor, "update", "user", user.username, description="password removed")


def set_sysadmin(actor: str, user: User, sysadmin: bool) -> None:
    """Make or unmake a system administrator.

    Raises:
        PreconditionFailed: it is the last one.
    """
    if user.sysadmin and not sysadmin:
        _keep_an_admin(user)
    user.sysadmin = sysadmin
    audit.record(actor, "update", "user", user.username, description=f"system administrator: {sysadmin}")


def set_disabled(actor: str, user: User, disabled: bool) -> None:
    """Disable or enable: a disabled user can do nothing, and is told so after a right password only. What was logged in and the
    tokens that there were end with it, and stay so.

    Raises:
        PreconditionFailed: it is the last system administrator.
    """
    if disabled:
        _keep_an_admin(user)
        user.epoch += 1
    user.disabled = disabled
    audit.record(actor, "update", "user", user.username, description="disabled" if disabled else "enabled")


def delete(actor: str, user: User) -> None:
    """Delete: the row stays, the name becomes free.

    Raises:
        Forbidden: it is Harbor's built-in administrator (id 1).
        PreconditionFailed: it is the last system administrator.
    """
    if user.id == BUILT_IN_ADMIN:
        raise Forbidden("the built-in administrator cannot be deleted")
    _keep_an_admin(user)
    audit.record(actor, "delete", "user", user.username)
    user.username = f"{user.username}#{user.id}"
    user.name_key = f"{user.name_key}#{user.id}"
    user.email = None if user.email is None else f"{user.email}#{user.id}"
    user.password_hash = None
    user.sysadmin = False
    user.deleted = True
    db.session.execute(delete_rows(UserIdentity).where(UserIdentity.user_id == user.id))
    user.epoch += 1


def set_language(user_id: int, language: str) -> None:
    """Keep the language that somebody has chosen for his pages, past the session's listeners: it changes no decision."""
    db.session.connection().execute(update(User).where(User.id == user_id).values(language=language))


def note_absence(user_id: int, most: int) -> None:
    """The source does not know this user any more, or has disabled him; after `most` times in a row he may do nothing here,
    until it knows him again."""
    identity = db.session.scalar(select(UserIdentity).where(UserIdentity.user_id == user_id))
    if identity is None or identity.gone:
        return
    identity.absences += 1
    identity.stated_at = utcnow()
    if identity.absences >= most:
        identity.gone = True
        audit.record(
            f"tidegate:{identity.kind}", "update", "user", get(user_id).username, description=f"gone from {identity.source}"
        )


def _keep_an_admin(leaving: User) -> None:
    admins = db.session.scalars(
        all_users().where(User.sysadmin.is_(True), User.disabled.is_(False)).order_by(User.id).with_for_update()
    ).all()
    if [admin.id for admin in admins] == [leaving.id]:
        raise PreconditionFailed(f"{leaving.username} is the last system administrator")


def require_free(username: str, *, also_as_email: bool = True) -> None:
    """Nobody has that name, whatever its case; nor as e-mail, by which he logs in as well.

    Raises:
        Conflict
    """
    if db.session.scalar(select(User.id).where(User.name_key == names.key(username))):
        raise Conflict(f"user {username} exists already")
    if also_as_email and "@" in username and not _is_nobodys_email(username, None):
        raise Conflict(f"{username} is the e-mail address of another user")


def robot_prefix() -> str:
    """What robots' names begin with."""
    return str(configuration.value("robot_name_prefix"))


def is_email(text: str) -> bool:
    """True if it could be an e-mail address."""
    return len(text) <= 255 and text.isprintable() and _EMAIL.fullmatch(text) is not None


def email_is_free(email: str, own_id: int | None = None) -> bool:
    """True if no user but `own_id` has that e-mail, whatever its case, nor is called so: either logs in."""
    named = db.session.scalar(select(User.id).where(User.name_key == names.key(email)))
    return (named is None or named == own_id) and _is_nobodys_email(email, own_id)


def _is_nobodys_email(email: str, own_id: int | None) -> bool:
    taken = db.session.scalar(select(User.id).where(func.lower(User.email) == email.lower()))
    return taken is None or taken == own_id
