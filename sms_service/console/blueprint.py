"""The blueprint to which every page belongs."""

from flask import Blueprint

blueprint = Blueprint("console", __name__, template_folder="templates")
