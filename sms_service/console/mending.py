"""What to do about a row that an import refused or found odd, by what was found; for whoever mends the file."""

from __future__ import annotations

from collections.abc import Mapping

from sms_service.said import Said, as_said

_MEND_THAT_FIRST = as_said("Mend that row first; this one follows by itself.")
_KEEP_ONE = as_said("Keep one of the two rows and delete the other.")
_LEVELS = as_said("Check the level of both units: city, district, street, branch, each below a higher one.")
_ABOVE = as_said("Put the unit above into the file, or check its code on the page of units.")
_PHONE = as_said("No text can reach this person: ask for the mobile number and import it.")

# By the message of the finding (its sentence with places).
MENDINGS: Mapping[str, Said] = {
    "must have 1 to {most} characters": as_said("Fill in this cell; without it nobody could be found again."),
    "must be a name of 1 to {most} characters": as_said(
        "Write the name. Where a formula shows an error such as #N/A, put the value itself into the cell."
    ),
    "the name is empty; fill it in": as_said("Fill in the name, or delete the row if it is nobody's."),
    "the unit is empty; fill in its name": as_said("Write the name as the page of units shows it, or the unit's code."),
    "is missing: it says which unit the person belongs to": as_said(
        "Write the unit's code, as the page of units shows it."
    ),
    "there is no unit with this code": as_said("Check the code on the page of units, or import the units first."),
    "there is no unit with this code; there is one with a 0 in front: format the column as text": as_said(
        "Format the column as text in the spreadsheet and write the codes again, with the 0 in front."
    ),
    "is a unit outside the scope of this import": as_said("Leave this row to whoever manages that unit."),
    "belongs to a person outside the scope of this import": as_said(
        "Check the number. If it is right, whoever manages that person's unit has to move the person."
    ),
    "is the name of {number} units, such as {places}; write the path or the code": as_said(
        "Write the unit's path, such as 城东区/第一党支部, or its code."
    ),
    "no unit of this name lies within the scope of this import": as_said(
        "Write the name as the page of units shows it, or the unit's code."
    ),
    "may be {number} people who are here already: say which one, or that it is somebody new": as_said(
        "Add the phone, the birthday or the number (编号) by which the person is known."
    ),
    "may be {number} people of the register: say which one, or that it is somebody else": as_said(
        "Say who is meant on the page above, or add the number (编号) or the phone by which the register knows them."
    ),
    "fits more than {most} people of the register": as_said(
        "Add the number (编号), the phone or the unit by which the register knows the person."
    ),
    "is nobody of the register within this scope, and you may not text people outside the register": as_said(
        "Check name and number, import the person first, or have an administrator upload the file."
    ),
    "is nobody of the register, and nobody else can be texted without both name and mobile number": as_said(
        "Fill in both, or the number (编号) by which the register knows the person."
    ),
    "is the person of row {row}, which was taken: each person gets one text": _KEEP_ONE,
    "differs from the name of the person with the number {number}, {name}": as_said(
        "Check which of the two is right; the register is changed by an import of people."
    ),
    "belongs to a person outside the scope of this list": as_said(
        "Check the number. If it is right, choose a unit above both when you upload the file."
    ),
    "belongs to a person marked as having left, who gets no texts": as_said(
        "Delete the row, or say on the person's page that they are back."
    ),
    "names nobody: write the number, the name or the phone": as_said(
        "Fill in the number, the name or the phone, or delete the row."
    ),
    "differs from the number in the register, to which the text goes": as_said(
        "If the file is right, import it as people, too, so that the register has the new number."
    ),
    "the register has no number for this person: no text can reach them": as_said(
        "Import the person with this number; this list need not be made again."
    ),
    "row {row} has the same number with other content; that one was taken": _KEEP_ONE,
    "row {row} means the same person with other content; that one was taken": _KEEP_ONE,
    "row {row} has the same code with other content; only the first counts": _KEEP_ONE,
    "repeats row {row}, which was refused": _MEND_THAT_FIRST,
    "is empty": as_said("Delete the empty row."),
    "column {column} has a value but no header: the row is shifted or has a column too many": as_said(
        "Move the cells of this row back under their headers."
    ),
    "must be one of {words:、}": as_said("Write one of these words."),
    "the unit above, {above}, is not there (row {row} was refused)": _MEND_THAT_FIRST,
    "the unit above, {above}, is not there (neither in the file nor known)": _ABOVE,
    "the units above it form a circle": as_said("Check which unit is above which; one of them must be the top."),
    "a {level} cannot stand below {above}, which is a {level_above}": _LEVELS,
    "the unit {code} below it is a {level}, which must stay below a higher level": _LEVELS,
    "lies outside the scope of this import": as_said("Leave this row to whoever manages that unit."),
    "would be placed outside the scope of this import": as_said("Leave this row to whoever manages both units."),
    "cannot move between the demonstration and real units: the demonstration's numbers are invented": as_said(
        "Use another code: this one belongs to the demonstration."
    ),
    "the phone of the file is not usable ({reason}); the phone on record is kept": as_said(
        "Nothing, if the phone on record is right; else write the right one and import it."
    ),
    "there is no phone number: no text can reach this person": _PHONE,
    "is in scientific notation: its last digits are lost; write the number out as text": _PHONE,
    "is not written like a phone number; right is 13800000000 or +8613800000000": _PHONE,
    "has {number} digits and is no phone number; right is 13800000000 or +8613800000000": _PHONE,
    "has {number} digits; a mobile number has 11": _PHONE,
    "is not in the ranges given to mobile numbers": _PHONE,
    "is a landline, which cannot get texts": _PHONE,
    "is a service number, which cannot get texts": _PHONE,
}


def find_mending(reason: Said) -> Said | None:
    """What to do about it, or None where nothing has to be done or nobody knows."""
    return MENDINGS.get(reason.message)
