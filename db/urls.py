"""Database addresses: one spelling for every accepted form, and a form that may be logged.

Owns the reading of DATABASE_URL. Must not connect. Stands before `db.connections`.
"""

from __future__ import annotations

from urllib.parse import quote

from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError

_DRIVERS = {
    "sqlite": "sqlite",
    "sqlite+pysqlite": "sqlite",
    "sqlite+aiosqlite": "sqlite",
    "postgres": "postgresql+psycopg",
    "postgresql": "postgresql+psycopg",
    "postgresql+psycopg": "postgresql+psycopg",
}
_SECRET_PARAMETERS = frozenset({"password", "sslpassword"})


def parse_url(url: str) -> URL:
    """Read an address into SQLAlchemy's form, with the driver this project uses.

    Raises: ValueError, which never repeats the address (it may hold a password).
    """
    try:
        parsed = make_url(url.strip())
    except (ArgumentError, ValueError):
        raise ValueError("not a database URL") from None
    driver = _DRIVERS.get(parsed.drivername)
    if driver is None:
        raise ValueError(f"unsupported database {parsed.drivername!r}: use sqlite:/// or postgresql://")
    if driver == "sqlite" and (parsed.database in {None, "", ":memory:"} or parsed.host):
        # Readers have connections of their own, which would each see an empty memory.
        raise ValueError("SQLite needs a file: sqlite:///folder/file.db")
    return parsed.set(drivername=driver)


def normalise_url(url: str) -> str:
    """Give the one spelling of an address.

    Shape: `sqlite:///path` or `postgresql+psycopg://user:password@host/name`; not fit for logs.
    Raises: ValueError, as `parse_url`.
    """
    return parse_url(url).render_as_string(hide_password=False)


def render_safe_url(url: str) -> str:
    """Give the address without its secrets, for logs and messages.

    Raises: ValueError, as `parse_url`.
    """
    parsed = parse_url(url)
    secret = _SECRET_PARAMETERS & parsed.query.keys()
    return parsed.update_query_dict(dict.fromkeys(secret, "***")).render_as_string(hide_password=True)


def list_passwords(url: str) -> list[str]:
    """Give every password in an address in each form that a driver or a log may show it in.

    Raises: ValueError, as `parse_url`.
    """
    parsed = parse_url(url)
    found = [str(parsed.password or "")]
    for name in sorted(_SECRET_PARAMETERS & parsed.query.keys()):
        value = parsed.query[name]
        found += [value] if isinstance(value, str) else value
    if parsed.password:
        # As it was written: what stands between the user's name and the host.
        found.append(url.partition("://")[2].partition("@")[0].partition(":")[2])
    forms = dict.fromkeys(form for word in found for form in (word, quote(word), quote(word, safe="")))
    return [form for form in forms if form]
