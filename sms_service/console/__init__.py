"""The console: the pages on which people work, one file per page; a door without rules of its own.

    @page_view("/runs/<int:run_id>", Permission.read)
    def show_run(run_id: int) -> str: …                      GET: render_page("run.html", …)

    @act_view("/runs/<int:run_id>/pause", Permission.operate_campaigns, again=show_run)
    def pause_one_run(run_id: int) -> Response: …            POST: do it, then go_to("console.show_run", …)

`pages.py` has both decorators. Everything works without JavaScript; htmx only refreshes fragments.
"""

from importlib import import_module
from pkgutil import iter_modules

from sms_service.console.blueprint import blueprint

for _module in iter_modules(__path__):  # each registers its pages: a page needs no line here
    import_module(f"{__name__}.{_module.name}")

__all__ = ["blueprint"]
