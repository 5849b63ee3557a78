"""Values of Harbor's chart as values of ours."""

from __future__ import annotations

from typing import Any

import yaml

from authsvc.declared.given import DRIVERS, STORAGE, VALUES, Converted, Given, bucket, database_url, log_level, unmapped


def convert(given: Given) -> Converted:
    made = Converted()
    values: dict[str, Any] = {"externalURL": given.take("externalURL") or f"https://{given.take('expose.ingress.hosts.core')}"}
    given.take("expose.ingress.hosts.core")
    values |= _exposed(given)
    if given.take("database.type") == "external":
        names = {"host": "host", "port": "port", "username": "username", "ssl": "sslmode"}
        database = {"url": database_url(given, "database.external", names, made), "key": "password"}
        given.take("database.external.password")
        if secret := given.take("database.external.existingSecret"):
            database["existingSecret"] = secret
        else:
            made.notes.append("kubectl create secret generic tidegate-database --from-file=password=...: the database's")
        values["database"] = database
    else:
        made.notes.append("database.url: name a PostgreSQL that is there; the chart brings none")
    made.notes.append("kubectl create secret generic tidegate-master-key --from-file=key=...: docs/kubernetes.md")
    values |= _volumes(given, made)
    values["replicas"] = max(int(given.take(f"{part}.replicas") or 1) for part in ("core", "registry"))
    if values["replicas"] > 1 and "storage" not in values:
        made.notes.append("more than one pod needs a bucket, or a volume that many may write to: storage.accessModes")
    level, workers = log_level(given.take("logLevel")), given.take("jobservice.maxJobWorkers")
    values["settings"] = {name: value for name, value in (("log_level", level), ("job_workers", workers)) if value}
    values["imagePullSecrets"] = given.take("imagePullSecrets")
    if given.take("metrics.serviceMonitor.enabled"):
        labels = given.take("metrics.serviceMonitor.additionalLabels") or {}
        values["metrics"] = {"serviceMonitor": {"enabled": True, "labels": labels}}
    given.take("metrics.enabled")
    for name in ("nodeSelector", "tolerations", "affinity"):
        values[name] = given.take(f"core.{name}")
    made.files[VALUES] = str(yaml.safe_dump({name: value for name, value in values.items() if value}, sort_keys=False))
    made.notes += unmapped(given)
    return made


def _exposed(given: Given) -> dict[str, Any]:
    kind, is_tls = given.take("expose.type", "ingress"), given.take("expose.tls.enabled", True)
    secret = given.take("expose.tls.secret.secretName") or ""
    given.take("expose.tls.certSource")
    if kind == "ingress":
        found = {
            "enabled": True,
            "className": given.take("expose.ingress.className") or "",
            "annotations": given.take("expose.ingress.annotations") or {},
            "tlsSecret": secret if is_tls else "",
        }
        return {"ingress": {name: value for name, value in found.items() if value}}
    types = {"clusterIP": "ClusterIP", "nodePort": "NodePort", "loadBalancer": "LoadBalancer"}
    exposed: dict[str, Any] = {"service": {"type": types.get(kind, "ClusterIP")}}
    return exposed | ({"tls": {"existingSecret": secret}} if is_tls and secret else {})


def _volumes(given: Given, made: Converted) -> dict[str, Any]:
    at = "persistence.persistentVolumeClaim.registry"
    claim, size, kind, mode = (given.take(f"{at}.{name}") for name in ("existingClaim", "size", "storageClass", "accessMode"))
    stored = given.take("persistence.imageChartStorage") or {}
    described = bucket(stored, {"disable": stored.get("disableredirect", False)}, made)
    if described:
        made.files[STORAGE] = described
        made.notes.append(
            f"kubectl create secret generic tidegate-bucket --from-file={STORAGE}, then remove that: it holds secrets"
        )
        driver = next(name for name in DRIVERS if stored.get(name))
        if stored[driver].get("existingSecret"):
            made.notes.append(f"{STORAGE}: its keys come from a secret that we cannot read; write them into it")
        return {"storage": {"bucket": {"existingSecret": "tidegate-bucket"}}}
    found = {"existingClaim": claim, "size": size, "storageClass": kind, "accessModes": [mode] if mode else None}
    storage = {name: value for name, value in found.items() if value}
    return {"storage": storage} if storage else {}
