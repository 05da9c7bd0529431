"""What is wrong, and where."""

from dataclasses import asdict, dataclass


@dataclass(frozen=True)
class Finding:
    kind: str
    where: str  # file:offset, "event <id>", or a session
    what: str

    def __str__(self):
        return f"{self.kind}\t{self.where}\t{self.what}"

    as_dict = asdict
