"""Databases for tests on a real PostgreSQL."""

from __future__ import annotations

import uuid

import psycopg


def fresh_database(server: str) -> str:
    """Create an empty database on a PostgreSQL server and return its address."""
    name = f"t{uuid.uuid4().hex[:12]}"
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}")
    return server.replace("/postgres?", f"/{name}?")
