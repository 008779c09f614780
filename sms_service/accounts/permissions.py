"""What each role allows: one table, read by every check."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum

SYSTEM_ROLE = "system"
DELEGATE_ROLE = "delegate"


class Permission(StrEnum):
    """One kind of act. A role held on a unit gives its permissions over the unit's whole subtree."""

    read = "read"  # lists, counts, exports; phone numbers masked
    manage_directory = "manage_directory"  # units, people, contacts, imports, suppressions
    import_people = "import_people"  # the people of the units, by file
    check_people = "check_people"  # say where people are whom texts do not reach
    manage_segments = "manage_segments"
    manage_templates = "manage_templates"
    edit_campaigns = "edit_campaigns"
    approve_campaigns = "approve_campaigns"
    operate_campaigns = "operate_campaigns"  # launch, pause, resume, cancel, stop, retry, send again, settle
    operate_service = "operate_service"  # gateway accounts, their stops, caps
    manage_accounts = "manage_accounts"  # accounts, roles, other people's tokens
    text_guests = "text_guests"  # texts to people outside the register, by a list for one campaign
    try_texts = "try_texts"  # what others would get, sent to one's own phone
    see_phones = "see_phones"  # whole phone numbers, in requests that ask for them


PERMISSIONS: Mapping[str, frozenset[Permission]] = {
    # An administrator, who grants roles, does not approve: two people decide what is sent to a city.
    "administrator": frozenset(Permission) - {Permission.approve_campaigns},
    "officer": frozenset(
        {
            Permission.read,
            Permission.import_people,
            Permission.check_people,
            Permission.manage_segments,
            Permission.manage_templates,
            Permission.edit_campaigns,
            Permission.operate_campaigns,
            Permission.try_texts,
            Permission.see_phones,
        }
    ),
    "approver": frozenset({Permission.read, Permission.approve_campaigns, Permission.try_texts, Permission.see_phones}),
    "auditor": frozenset({Permission.read}),
    # Watches the installation: what leaves, and which outcomes are unknown. Writes and approves nothing.
    "operator": frozenset({Permission.read, Permission.operate_campaigns, Permission.operate_service}),
    # Held by delegation until a day, never granted: to read and to approve, and no more of what an approver may.
    DELEGATE_ROLE: frozenset({Permission.read, Permission.approve_campaigns}),
    SYSTEM_ROLE: frozenset(Permission),  # never granted to an account
}
