"""The words for what counts are made of: dimensions, filters, carriers."""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum

from sms_service.said import Said, say
from sms_service.vocabulary import Carrier

WORDS_OF_COUNTS: Mapping[type[Enum] | str, Mapping[str, Said]] = {
    "dimension": {
        "unit": say("Unit"),
        "sender": say("Unit that sent"),
        "status": say("Status"),
        "reason": say("Reason"),
        "code": say("Provider's code"),
        "class": say("Class"),
        "kind": say("Kind of run"),
        "campaign": say("Campaign"),
        "run": say("Run"),
        "item": say("Text of a series"),
        "template": say("Template"),
        "category": say("Category of the template"),
        "day": say("Day"),
        "week": say("Week"),
        "month": say("Month"),
        "year": say("Year"),
        "account": say("Gateway account"),
        "carrier": say("Carrier"),
    },
    "number": {
        "people": say("People"),
        "messages": say("Texts"),
        "parts": say("Parts"),
        "left": say("Texts that left"),
        "delivered": say("Texts delivered"),
        "delivery_rate": say("Delivery rate"),
        "reach_rate": say("Reach rate"),
        "cost_fen": say("Money"),
        "identity": say("Identity"),
        "scope": say("Scope"),
        "rows": say("Ledger rows"),
        "roll_up": say("Roll-up"),
        "sealed": say("Sealed day"),
        "amendments": say("Amendments"),
    },
    "amendment": {
        "receipt": say("A receipt"),
        "silence": say("No receipt in time"),
        "settled": say("A person settled it"),
        "sent_again": say("Sent again"),
        "dispatch": say("Sent later"),
    },
    "filter": {
        "since": say("Launched from"),
        "until": say("Launched until"),
        "under": say("Was within"),
        "of_campaign": say("Of a campaign"),
        "unclassified": say("Unknown code"),
        "changed_since": say("Changed from"),
        "changed_before": say("Changed before"),
    },
    Carrier: {
        Carrier.mobile: say("China Mobile"),
        Carrier.unicom: say("China Unicom"),
        Carrier.telecom: say("China Telecom"),
        Carrier.broadnet: say("China Broadnet"),
    },
}
