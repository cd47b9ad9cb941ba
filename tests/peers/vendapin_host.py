"""A host on pyvendapin that dispenses from the board behind the serial port PORT.

    vendapin_host.py PORT

pyvendapin is of Python 2, where bytes are text. It is taken as it is, but for its one `print` statement, and for a port
that carries a byte as a character. Ends with 0 when the board did everything right.
"""

import importlib.util
import pathlib
import re
import sys
import time
import types

import serial

DEADLINE_S = 20


class TextPort(serial.Serial):
    def write(self, text):
        return super().write(text.encode("latin-1"))

    def read(self, size=1):
        return super().read(size).decode("latin-1")

    def inWaiting(self):
        return self.in_waiting


def pyvendapin():
    origin = importlib.util.find_spec("vendapin").origin
    source = pathlib.Path(origin).read_text(encoding="utf-8")
    source = re.sub(r"^(\s*)print (\'.*)$", r"\1print(\2)", source, flags=re.MULTILINE)
    library = types.ModuleType("vendapin")
    exec(compile(source, origin, "exec"), library.__dict__)
    library.serial = types.SimpleNamespace(Serial=TextPort)
    return library


host = pyvendapin().Vendapin(port=sys.argv[1])


def asked(command):
    """The board's answer, by the library's own words for both."""
    host.sendcommand(command)
    end = time.monotonic() + DEADLINE_S
    while not host.inWaiting():
        assert time.monotonic() < end, "the board says nothing"
        time.sleep(0.005)
    packet = host.receivepacket()
    return host.was_packet_accepted(packet), host.parsedata(packet)


def status():
    return asked(host.REQUEST_STATUS)[1][0]


def count():
    accepted, data = asked(host.READ_TOTAL_COUNT)
    assert accepted, data
    return int.from_bytes("".join(data).encode("latin-1"), "big")


assert host.request_status() == host.READY
before = count()
assert host.dispense() == host.READY
seen = []
end = time.monotonic() + DEADLINE_S
while seen[-1:] != [host.READY]:
    assert time.monotonic() < end, seen
    now = status()
    if seen[-1:] != [now]:
        seen.append(now)
    if now == host.BUSY:
        assert not asked(host.DISPENSE)[0], "a second card while the first is on its way"
    time.sleep(0.02)
# A machine that is busy itself may sleep through one of them.
assert seen == [code for code in (host.BUSY, host.CARD_HOLD, host.READY) if code in seen], seen
assert count() == before + 1
print("the board did everything right")
