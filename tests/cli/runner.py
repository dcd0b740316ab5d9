"""The command line, called in this process."""

from click.testing import CliRunner, Result

from kerazoo.cli import main


def result_of(*arguments: object, code: int | None = None) -> Result:
    """Return what a command ended with, which is no crash; with `code`, the exit code that it has to have."""
    result = CliRunner().invoke(main, [str(argument) for argument in arguments])
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    assert code is None or result.exit_code == code, result.output
    return result


def kerazoo(*arguments: object, code: int = 0) -> str:
    """Return what a command prints; with code 2 the one line by which it says what the user has to mend."""
    result = result_of(*arguments, code=code)
    if code != 2:
        return result.stdout
    assert "Traceback" not in result.stderr
    (line,) = [line for line in result.stderr.splitlines() if line.startswith("Error: ")]
    return line
