"""What each provider of robots wants: adapters that know neither database nor web framework, one file each."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from sms_service.channels.robots.base import ChannelKind, Robot
from sms_service.channels.robots.dingtalk import DingTalkRobot
from sms_service.channels.robots.feishu import FeishuRobot
from sms_service.channels.robots.signed_json import SignedJson
from sms_service.channels.robots.wecom import WeComRobot

ROBOTS: Mapping[ChannelKind, Robot] = MappingProxyType(
    {
        ChannelKind.wecom: WeComRobot(),
        ChannelKind.dingtalk: DingTalkRobot(),
        ChannelKind.feishu: FeishuRobot(),
        ChannelKind.json: SignedJson(),
    }
)
