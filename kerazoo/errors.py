"""The one exception a user is meant to read."""


class UserError(Exception):
    """Something the user can mend: told in one line, exit code 2, no traceback.

    Args:
        message: what is wrong, naming the file, key or value.
        remedy: what to do about it.
    """

    def __init__(self, message: str, remedy: str = ""):
        self.message, self.remedy = message, remedy
        super().__init__(" ".join(f"{message}; {remedy}".split()) if remedy else message)
