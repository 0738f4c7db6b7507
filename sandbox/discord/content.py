"""Owns the rules for the body of a message: lengths, embeds, attachments, flags, and what excludes what.

Pure: turns a decoded body into a `Draft` or reports into `Problems`. Posting is the business of `messages`.
Source: Discord developer docs, "Create Message" and "Edit Message", read 2026-11-22.
"""

from dataclasses import dataclass, field

from sandbox.discord.body import FILES_MAX, Body
from sandbox.discord.cdn import clean_filename
from sandbox.discord.component_tree import complete_components
from sandbox.discord.components import COMPONENTS_MAX, Checker
from sandbox.discord.errors import Problems
from sandbox.discord.forms import Form
from sandbox.discord.mentions import AllowedMentions, parse_allowed_mentions
from sandbox.discord.state import Json, Message, MessageFlag

CONTENT_MAX = 2000
EMBEDS_MAX = 10
EMBED_TEXT_MAX = 6000
SETTABLE = (
    MessageFlag.SUPPRESS_EMBEDS
    | MessageFlag.EPHEMERAL
    | MessageFlag.SUPPRESS_NOTIFICATIONS
    | MessageFlag.COMPONENTS_V2
)
LEGACY_WITH_V2 = "MESSAGE_CANNOT_USE_LEGACY_FIELDS_WITH_COMPONENTS_V2"


@dataclass(frozen=True, slots=True, kw_only=True)
class NewFile:
    index: int
    description: str | None = None
    filename: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Draft:
    """A checked body. None means: the body does not speak of it (so an edit leaves it alone).

    Shape: `kept` are ids of attachments an edit keeps, with their new descriptions; `new` are files to store.
    """

    content: str | None = None
    embeds: list[Json] | None = None
    components: list[Json] | None = None
    flags: int = 0
    tts: bool = False
    kept: dict[str, str | None] | None = None
    new: list[NewFile] = field(default_factory=list)
    allowed_mentions: AllowedMentions = field(default_factory=AllowedMentions)


def parse_draft(body: Body, *, existing: Message | None, default_parse: frozenset[str]) -> Draft:
    """Check a message body.

    Raises: ApiError 50035 naming every field that is wrong.
    """
    problems = Problems()
    form = Form(body.as_object(), problems)
    flags = form.integer("flags", lowest=0, highest=2**53, default=0) or 0
    flags &= int(SETTABLE)
    was_v2 = existing is not None and existing.has(MessageFlag.COMPONENTS_V2)
    uses_v2 = was_v2 or bool(flags & MessageFlag.COMPONENTS_V2)
    content = form.text("content", longest=CONTENT_MAX)
    if content is None and "content" in form.data:
        content = ""
    embeds = _parse_embeds(form)
    kept, new = _parse_attachments(form, body, existing, requires_filename=was_v2)
    names = _resulting_filenames(body, existing, kept, new)
    components = _parse_components(form, names, uses_v2=uses_v2)
    if uses_v2:
        _check_v2_exclusions(form, existing, content, embeds, was_v2=was_v2)
    tts = form.boolean("tts")
    for key in ("poll", "sticker_ids"):
        if form.data.get(key):
            form.error(key, "FEATURE_NOT_IN_SANDBOX", "The local Discord has no polls and no stickers")
    allowed = parse_allowed_mentions(form.child("allowed_mentions"), default_parse=default_parse)
    problems.raise_if_any()
    return Draft(
        content=content,
        embeds=embeds,
        components=components,
        flags=flags | (MessageFlag.COMPONENTS_V2 if uses_v2 else 0),
        tts=tts,
        kept=kept,
        new=new,
        allowed_mentions=allowed,
    )


def _parse_components(form: Form, names: set[str], *, uses_v2: bool) -> list[Json] | None:
    if "components" not in form.data:
        return None
    children = form.children("components", most=COMPONENTS_MAX)
    checker = Checker(problems=form.problems, filenames=names, uses_v2=uses_v2)
    checker.check(children, (*form.path, "components"))
    return None if form.problems.found else complete_components([child.data for child in children])


def _check_v2_exclusions(
    form: Form, existing: Message | None, content: str | None, embeds: list[Json] | None, *, was_v2: bool
) -> None:
    stale_content = existing is not None and not was_v2 and bool(existing.content) and content is None
    stale_embeds = existing is not None and not was_v2 and bool(existing.embeds) and embeds is None
    for key, used in (("content", bool(content) or stale_content), ("embeds", bool(embeds) or stale_embeds)):
        if used:
            form.error(
                key,
                LEGACY_WITH_V2,
                f"The '{key}' field cannot be used when using MessageFlags.IS_COMPONENTS_V2",
            )


def _parse_embeds(form: Form) -> list[Json] | None:
    if "embeds" not in form.data:
        return None
    total = 0
    embeds = form.children("embeds", most=EMBEDS_MAX)
    for embed in embeds:
        texts = [
            embed.text("title", longest=256),
            embed.text("description", longest=4096),
        ]
        embed.integer("color", lowest=0, highest=0xFFFFFF)
        for key, name, longest in (("footer", "text", 2048), ("author", "name", 256)):
            part = embed.child(key)
            texts.append(part.text(name, longest=longest, required=True) if part else None)
        for one in embed.children("fields", most=25):
            texts.append(one.text("name", shortest=1, longest=256, required=True))
            texts.append(one.text("value", shortest=1, longest=1024, required=True))
        for key in ("image", "thumbnail"):
            part = embed.child(key)
            if part:
                part.text("url", longest=2048, required=True)
        total += sum(len(text) for text in texts if text)
    if total > EMBED_TEXT_MAX:
        message = f"Embed size exceeds maximum size of {EMBED_TEXT_MAX}"
        form.error("embeds", "MAX_EMBED_SIZE_EXCEEDED", message)
    return [{"type": "rich", **embed.data} for embed in embeds]


def _parse_attachments(
    form: Form, body: Body, existing: Message | None, *, requires_filename: bool
) -> tuple[dict[str, str | None] | None, list[NewFile]]:
    if form.data.get("attachments") is None:
        if existing is not None and body.files and len(existing.attachments) + len(body.files) > FILES_MAX:
            form.error("attachments", "BASE_TYPE_MAX_LENGTH", f"Must be {FILES_MAX} or fewer in length.")
        return None, [NewFile(index=index) for index in sorted(body.files)]
    own = {one.id: one for one in existing.attachments} if existing else {}
    kept: dict[str, str | None] = {}
    new = {index: NewFile(index=index) for index in body.files}
    for entry in form.children("attachments", most=FILES_MAX):
        description = entry.text("description", longest=1024)
        filename = entry.text("filename", shortest=1, longest=1024)
        identity = str(entry.data.get("id", ""))
        if identity in own:
            if requires_filename and filename is None:
                entry.error("filename", "BASE_TYPE_REQUIRED", "This field is required")
            unchanged = own[identity].description
            kept[identity] = description if "description" in entry.data else unchanged
        elif identity.isdecimal() and len(identity) < 4 and int(identity) in new:
            new[int(identity)] = NewFile(index=int(identity), description=description, filename=filename)
        else:
            entry.error("id", "MESSAGE_ATTACHMENT_NOT_FOUND", f"Attachment {identity} could not be found.")
    if len(kept) + len(new) > FILES_MAX:
        form.error("attachments", "BASE_TYPE_MAX_LENGTH", f"Must be {FILES_MAX} or fewer in length.")
    return kept, [new[index] for index in sorted(new)]


def _resulting_filenames(
    body: Body, existing: Message | None, kept: dict[str, str | None] | None, new: list[NewFile]
) -> set[str]:
    stay = existing.attachments if existing else []
    names = {one.filename for one in stay if kept is None or one.id in kept}
    return names | {clean_filename(one.filename or body.files[one.index].filename) for one in new}


def check_nonce(body: Body) -> str | int | None:
    """Raises: ApiError 50035 for a nonce longer than 25 characters or of another type."""
    problems = Problems()
    form = Form(body.as_object(), problems)
    nonce = form.data.get("nonce")
    if nonce is None:
        return None
    if isinstance(nonce, int) and not isinstance(nonce, bool):
        if not -(2**63) <= nonce < 2**63:
            form.error("nonce", "NONCE_TYPE_INVALID", "Nonce must be a 64-bit integer or a short string.")
    else:
        form.text("nonce", longest=25)
    problems.raise_if_any()
    return nonce if isinstance(nonce, str | int) else None
