"""The words for channels, their posts, and why something was not posted."""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum

from sms_service.channels.models import ChannelState, PostStatus
from sms_service.channels.robots.base import ChannelKind, PostReason
from sms_service.said import Said, say

WORDS_OF_CHANNELS: Mapping[type[Enum] | str, Mapping[str, Said]] = {
    ChannelKind: {
        ChannelKind.wecom: say("WeCom"),
        ChannelKind.dingtalk: say("DingTalk"),
        ChannelKind.feishu: say("Feishu"),
        ChannelKind.json: say("A receiver of one's own"),
    },
    ChannelState: {
        ChannelState.open: say("In use"),
        ChannelState.paused: say("Paused"),
        ChannelState.removed: say("Removed"),
    },
    PostStatus: {
        PostStatus.pending: say("Waiting to be posted"),
        PostStatus.posting: say("Being posted"),
        PostStatus.posted: say("Posted"),
        PostStatus.refused: say("Refused"),
        PostStatus.unknown: say("To be checked"),
        PostStatus.cancelled: say("Given up"),
    },
    PostReason: {
        PostReason.too_long: say("The text is longer than the robot takes"),
        PostReason.unrendered: say("No text can be made of the campaign"),
        PostReason.forbidden_address: say("The address leads into a network of our own"),
        PostReason.unreachable: say("The receiver cannot be reached"),
        PostReason.sealed: say("The address cannot be opened any more: add the channel again"),
        PostReason.security: say("The robot's security settings refused it: keyword, signature or IP address"),
        PostReason.no_robot: say("The robot is not in the group any more"),
        PostReason.redirected: say("The address leads to another one, which is not followed"),
        PostReason.too_often: say("Too many posts a minute; it is tried again"),
        PostReason.answered: say("The receiver refused it"),
        PostReason.no_answer: say("No readable answer came, so it may stand in the group"),
        PostReason.expired: say("Its time was over before it could be posted"),
        PostReason.run_cancelled: say("The run was cancelled"),
        PostReason.channel_removed: say("The channel is removed, or not one of the unit's any more"),
        PostReason.settled: say("A person looked into the group"),
    },
}
