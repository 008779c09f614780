"""What an import is in the answers of `/imports`."""

from __future__ import annotations

from typing import Any

from marshmallow import fields, post_dump

from sms_service.directory.import_models import Import
from sms_service.masking import mask_said, mask_text
from sms_service.said import to_json
from sms_service.web.schemas import MESSAGE, VALUES, MaskedText, Out

_NOTHING_SAID: dict[str, Any] = {"message": None, "values": {}}


class LayoutOut(Out):
    """What was found in the file."""

    kind = fields.String(metadata={"description": "csv or xlsx"})
    encoding = fields.String(allow_none=True, metadata={"description": "Of a CSV: its encoding"})
    delimiter = fields.String(allow_none=True, metadata={"description": "Of a CSV: what separates its columns"})
    sheet = MaskedText(allow_none=True, metadata={"description": "Of a workbook: the sheet that was read"})
    sheets = fields.List(MaskedText(), metadata={"description": "Of a workbook: all sheets"})
    header_row = fields.Integer(metadata={"description": "The row of the headers; the first is 1"})
    header_rows = fields.Integer(metadata={"description": "How many rows make the headers: 1 or 2, joined"})
    headers = fields.List(
        MaskedText(allow_none=True), metadata={"description": "The columns' headers; null: the column has none"}
    )
    hidden_columns = fields.List(
        fields.Integer(),
        metadata={
            "description": "Of a workbook: the places in `headers`, from 0, of hidden columns; they are read too"
        },
    )
    blank_rows = fields.Integer(
        metadata={
            "description": "Rows without a value that were passed over, in long gaps; those at the end do not count"
        }
    )
    meanings = fields.List(
        fields.String(), metadata={"description": "What each column was taken for: a field, `attribute` or `nothing`"}
    )


class CompleteOut(Out):
    """For which unit the file is said to be complete. Once it is checked, `members` = present + unclear + vanished."""

    unit_id = fields.Integer(metadata={"description": "The unit: it and all below it"})
    members = fields.Integer(
        allow_none=True, metadata={"description": "Its members who had not left; null, as the others: not checked yet"}
    )
    present = fields.Integer(allow_none=True, metadata={"description": "Of these, whom a row means that is taken"})
    unclear = fields.Integer(
        allow_none=True,
        metadata={
            "description": "Whom only refused rows may mean: by a name, number or phone in them, or as one of those of "
            "whom a person has to choose. They are not proposed"
        },
    )
    unclear_rows = fields.Integer(allow_none=True, metadata={"description": "How many refused rows may mean them"})
    vanished = fields.Integer(allow_none=True, metadata={"description": "Whom no row means: `vanished` lists them"})
    left = fields.Integer(
        allow_none=True, metadata={"description": "How many of these a person has said to have left (`vanished/leave`)"}
    )


class ImportOut(Out):
    """An import. Once it is checked, `rows` = created + changed + moved + unchanged + refused: what the rows would do
    and, once it is applied, what they did.
    """

    id = fields.Integer(metadata={"description": "The import's id"})
    unit_id = fields.Integer(allow_none=True, metadata={"description": "The unit in whose subtree it is made"})
    account_id = fields.Integer(allow_none=True, metadata={"description": "Who made it; null: the service itself"})
    kind = fields.String(metadata={"description": "units, people or recipients"})
    file_name = MaskedText(metadata={"description": "The file's name"})
    size = fields.Integer(metadata={"description": "Bytes of the file; 0: not known, of imports of long ago"})
    state = fields.String(metadata={"description": "uploaded, checking, checked, applying, applied, failed or expired"})
    reason = fields.String(
        allow_none=True,
        metadata={"description": "Why it failed, or why it was checked anew; null: nothing of the kind"},
    )
    message = fields.String(allow_none=True, metadata={"description": MESSAGE})
    values = fields.Dict(keys=fields.String(), metadata={"description": VALUES})
    progress = fields.Integer(metadata={"description": "Rows read so far"})
    version = fields.Integer(metadata={"description": "Grows with each check; send it with the apply"})
    rows = fields.Integer(metadata={"description": "Rows below the header"})
    created = fields.Integer(
        metadata={"description": "Rows that create something; of a list: guests, who are not in the register"}
    )
    changed = fields.Integer(metadata={"description": "Rows that change something"})
    moved = fields.Integer(metadata={"description": "Rows that move a person, or a unit, to another unit"})
    unchanged = fields.Integer(metadata={"description": "Rows that say nothing new; of a list: people of the register"})
    refused = fields.Integer(metadata={"description": "Rows that are not taken; see `problems`"})
    asked = fields.Integer(
        metadata={"description": "Refused rows of which a person has to say who is meant: `rows?asked=true`, `answers`"}
    )
    noted = fields.Integer(metadata={"description": "Rows that are taken with a note; see `problems`"})
    suppressed = fields.Integer(
        metadata={"description": "Phone numbers that the file opted out (tag 不接收短信) and that were not before"}
    )
    layout = fields.Nested(LayoutOut, allow_none=True, metadata={"description": "What was found; null: not read yet"})
    complete = fields.Nested(
        CompleteOut,
        allow_none=True,
        attribute="completeness",
        metadata={"description": "For which unit the file names everybody, and who vanished; null: for none"},
    )
    created_at = fields.AwareDateTime(metadata={"description": "When it was uploaded"})
    applied_at = fields.AwareDateTime(allow_none=True, metadata={"description": "When it was applied"})
    expires_at = fields.AwareDateTime(
        allow_none=True, metadata={"description": "When its file and rows are deleted; null: they are"}
    )

    @post_dump(pass_original=True)
    def _say_notice(self, shown: dict[str, Any], record: Import, **_: Any) -> dict[str, Any]:
        said = record.said_notice
        masked = None if said is None else mask_said(said, mask_text)
        return shown | {"reason": masked, **(to_json(masked) if masked is not None else _NOTHING_SAID)}
