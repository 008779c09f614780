"""Refuses passwords that are guessed first: those on lists of stolen ones, made of the account's own names, or of keys
in a row.

zxcvbn knows the lists, keyboards, dates and repetitions; this module adds the words that Chinese offices choose.
"""

from __future__ import annotations

import re

from sms_service.errors import Invalid

FEWEST_GUESSES = 10**8  # with so many, a stolen hash holds for a while; zxcvbn calls this "safely unguessable"
_LONGEST_LOOKED_AT = 72  # characters; zxcvbn's own limit, since its work grows with the square of the length
_MOBILE = re.compile(r"1[3-9][0-9]{9}")
# Words that zxcvbn's lists (English words and stolen passwords) do not have, or have far down.
_HABITS = (
    *(
        "woaini",
        "woaini1314",
        "5201314",
        "1314520",
        "520520",
        "aini",
        "woaizhongguo",
        "zhongguo",
        "zhonghua",
        "beijing",
    ),
    *("dangyuan", "dangjian", "dangzhibu", "xuexi", "xuexiqiangguo", "qiangguo", "renmin", "zuzhibu", "guanliyuan"),
    *(
        "mima",
        "admin",
        "administrator",
        "root",
        "abc123",
        "a123456",
        "qwe123",
        "888888",
        "666666",
        "我爱你",
        "密码",
        "党员",
    ),
)


def check_unguessable(password: str, *own: str) -> None:
    """Raises Invalid("password", …) if an attacker would try the password early; `own`: login and name."""
    from zxcvbn import zxcvbn  # loading its lists takes a quarter of a second, and few processes ever need them

    if _MOBILE.search(password):
        raise Invalid("password", None, "must not contain a mobile number")
    lowered = password.lower()
    for word in own:
        if len(word) >= 4 and word.lower() in lowered:
            raise Invalid("password", None, "must not contain the login or the name")
    found = zxcvbn(password[:_LONGEST_LOOKED_AT], user_inputs=[*own, *_HABITS])
    if found["guesses"] < FEWEST_GUESSES:
        raise Invalid(
            "password", None, "is among the first that somebody would try; take four words that do not belong together"
        )
