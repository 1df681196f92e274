"""What commands print to people: text that strangers wrote (names, messages) is shown, never obeyed."""

from server import output
from services import errors

STRANGE = {
    "Ads [EU] [red]team[/red]": "Ads [EU] [red]team[/red]",
    "[/nobody opened it]": "[/nobody opened it]",
    "ends in \\": "ends in \\",
    "clears\x1b[2J\x9b2Jthe\rscreen": "clears�[2J�2Jthe�screen",
}


def test_no_text_can_style_clear_or_break_what_is_printed(capsys):
    for text, shown in STRANGE.items():
        output.record({"name": text, "list": [text]}, as_json=False, note="Done.")
        assert capsys.readouterr().out == f"name  {shown}\nlist  {shown}\nDone.\n"
        output.records([{"name": text}], as_json=False, empty="")
        assert capsys.readouterr().out.split("\n")[1].rstrip() == shown
        output.refuse(errors.BadUserInput(text, remedy=text), as_json=False)
        assert capsys.readouterr().err == f"{shown} (BAD_USER_INPUT)\n{shown}\n"
