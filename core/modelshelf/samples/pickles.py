"""Files that would run a command when somebody loads them. The command only prints a line, and nothing here loads them.

They are put together from opcodes: no pickler of Python ever holds the forbidden call.
"""

import io
import zipfile

from modelshelf.samples.repository import FIRST_DAY

MESSAGE = "echo this file ran a command when it was loaded"
_MOMENT = (int(FIRST_DAY[:4]), int(FIRST_DAY[5:7]), int(FIRST_DAY[8:10]), 9, 0, 0)


def calling(module: str, name: str, argument: str) -> bytes:
    """A pickle that calls `module.name(argument)`."""
    text = argument.encode()
    string = b"X" + len(text).to_bytes(4, "little") + text
    return b"\x80\x02c" + f"{module}\n{name}\n".encode() + string + b"\x85R."


def torch_archive(pickle: bytes) -> bytes:
    """A file in the form of `torch.save`: a zip that holds the pickle and one storage."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_STORED) as archive:
        for name, data in (("data.pkl", pickle), ("byteorder", b"little"), ("data/0", bytes(256)), ("version", b"3\n")):
            entry = zipfile.ZipInfo(f"pytorch_model/{name}", _MOMENT)
            entry.create_system = 0
            archive.writestr(entry, data)
    return buffer.getvalue()


def suspicious() -> dict[str, bytes]:
    """The files: as a checkpoint of torch, and as a bare pickle."""
    return {
        "pytorch_model.bin": torch_archive(calling("posix", "system", MESSAGE)),
        "vocab.pkl": calling("builtins", "eval", f"__import__('os').system({MESSAGE!r})"),
    }
