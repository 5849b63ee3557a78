"""Trust rules on the command line."""

from __future__ import annotations

import sys

import click

from authsvc.authn.backends.keyless import service
from authsvc.core.console import actor, on_database, output_option, show
from authsvc.core.db import db
from authsvc.core.errors import BadRequest

_EXIT_NONE = 12


@click.group()
def trust() -> None:
    """CI jobs that log in with their own ID token (docker login -u oidc)."""


@trust.command("list")
@output_option
@on_database
def list_rules(output: str) -> None:
    """All rules."""
    show(service.described(db.session.scalars(service.all_rules())), output)


@trust.command("add")
@click.argument("name")
@click.option("--issuer", required=True, help="as it stands in the tokens' iss")
@click.option("--audience", required=True, help="what the job asks its token for")
@click.option(
    "--claim", "claims", multiple=True, required=True, help="NAME=PATTERN, such as repository=example/web; may be repeated"
)
@click.option("--project", required=True)
@click.option("--repositories", default="*", show_default=True, help="within the project, with * and ?")
@click.option(
    "--action", "actions", multiple=True, default=["pull"], show_default=True, help="pull, push or delete; may be repeated"
)
@on_database
def add_rule(
    name: str, issuer: str, audience: str, claims: tuple[str, ...], project: str, repositories: str, actions: tuple[str, ...]
) -> None:
    """Trust the jobs of an issuer whose claims match."""
    wanted = dict(claim.partition("=")[::2] for claim in claims)
    if any("=" not in claim for claim in claims):
        raise BadRequest("a claim looks like NAME=PATTERN")
    service.create(
        actor(),
        name=name,
        issuer=issuer,
        audience=audience,
        claims=wanted,
        project=project,
        repositories=repositories,
        actions=list(actions),
    )


@trust.command("test")
@output_option
@on_database
def try_token(output: str) -> None:
    """Which rules fit a job's ID token (on standard input), why the others do not, and what the job may do. Exit status 12: none
    fits."""
    judged = service.judge(sys.stdin.readline().strip())
    problems = {rule.id: problem for rule, problem in judged.rules}
    rules = service.described(rule for rule, _ in judged.rules)
    rows = [{name: rule[name] for name in ("id", "name", "project", "repositories", "actions")} for rule in rules]
    said = "what all rules that fit give, together" if judged.fitting else "no rule fits"
    click.echo(f"{service.name_of(judged.claims)}: {said}", err=True)
    show([row | {"fits": problems[row["id"]] or "yes"} for row in rows], output)
    if not judged.fitting:
        sys.exit(_EXIT_NONE)


@trust.command("remove")
@click.argument("rule_id", type=int)
@on_database
def remove_rule(rule_id: int) -> None:
    """Trust them no more, at once."""
    service.remove(actor(), rule_id)


COMMANDS = (trust,)
