"""The browser's way through a provider: out, back, and a page for the user name at the first login."""

from __future__ import annotations

from dataclasses import replace

from flask import Response, current_app, jsonify, request

from authsvc.authn import session
from authsvc.authn.backends.oidc import arrivals, backend, standing
from authsvc.authn.backends.oidc.arrivals import Arrival
from authsvc.authn.backends.oidc.claims import suggested_name
from authsvc.authn.onboarding import Proof, known, welcome
from authsvc.core import origin
from authsvc.core.db import let_go, reading, transaction, utcnow
from authsvc.core.errors import DomainError, InvalidCredentials
from authsvc.core.text import own_path
from authsvc.rbac.authority import Door
from authsvc.ui.shell import Pages, go, page
from authsvc.users import names
from authsvc.users import service as users

blueprint = Pages("oidc", __name__, url_prefix="/c/oidc")
_FLOW, _ARRIVAL = "oidc_flow", "oidc_arrival"


def _cookie(response: Response, name: str, value: str) -> None:
    secure = current_app.config["TIDEGATE"].external_url.startswith("https:")
    response.set_cookie(name, value, max_age=backend.FLOW_SECONDS, path="/c/oidc", httponly=True, samesite="Lax", secure=secure)


@blueprint.get("/login")
def login() -> Response:
    """Send the browser to the provider."""
    url, flow = backend.start(request.args.get("provider", "default"), request.args.get("redirect_url", "/"))
    response = go(url)
    _cookie(response, _FLOW, flow)
    return response


@blueprint.get("/callback")
def callback() -> Response:
    """Back from the provider: log in, or ask for a user name first."""
    flow = backend.flow_in(request.cookies.get(_FLOW, ""), request.args.get("state", ""))
    if "code" not in request.args:
        raise InvalidCredentials(f"the provider refused: {request.args.get('error', 'no reason given')[:100]}")
    at = backend.provider(flow.provider)
    let_go()  # the network comes next
    login = backend.redeem(at, request.args["code"], flow)
    shown = backend.proof(at, login.claims)
    ticket = ""
    with transaction():
        standing.keep(shown, login.refresh_token)
        if not at.settings.auto_onboard and not known(shown):
            ticket = arrivals.keep(Arrival(at.name, shown.subject, login.claims, flow.back_to, utcnow()))
    if ticket:
        response = go("/c/oidc/onboard")
        _cookie(response, _ARRIVAL, ticket)
        return response
    return _logged_in(shown, flow.back_to)


@blueprint.route("/onboard", methods=["GET", "POST"])
def first_login() -> Response:
    """The first login: choose a user name."""
    with reading():
        arrival = arrivals.find(request.cookies.get(_ARRIVAL, ""))
        at, claims = backend.provider(arrival.provider), arrival.claims
        prefix = users.robot_prefix()
    suggested = names.fitted(suggested_name(at.settings, claims), prefix)
    if request.method == "GET":
        return _ask_name(suggested, at.settings.label)
    session.require_same_origin(request)
    chosen = request.form.get("username", "") or suggested
    shown = replace(backend.proof(at, claims, chosen), stated_at=arrival.stated_at)
    with reading():
        if known(shown):  # by another login since, which says what is true now
            raise InvalidCredentials("this login was finished already; start again")
    try:
        names.check_chosen(chosen, prefix)
        return _logged_in(shown, arrival.back_to)
    except DomainError as error:
        return _ask_name(chosen, at.settings.label, error)


def _ask_name(username: str, label: str, problem: DomainError | None = None) -> Response:
    return page("oidc_onboard.html", status=409 if problem else 200, username=username, provider=label, problem=problem)


def _logged_in(shown: Proof, back_to: str) -> Response:
    identity = welcome(shown)
    services = current_app.extensions["tidegate"]
    who = services.authentication.principal(identity, services.snapshots.current(), origin.current().address)
    if who is None:
        raise InvalidCredentials("the account is gone")
    who.authority.require(Door.PAGES)
    response = go(own_path(back_to))
    with transaction():
        session.start(who, response)
        arrivals.end(shown.source, shown.subject)
    response.delete_cookie(_FLOW, path="/c/oidc")
    response.delete_cookie(_ARRIVAL, path="/c/oidc")
    return response


@blueprint.get("/providers")
def list_providers() -> Response:
    """What the login page shows: names and labels, nothing else."""
    return jsonify([{"name": one.name, "label": one.settings.label} for one in backend.providers()])
