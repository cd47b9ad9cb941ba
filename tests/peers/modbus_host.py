"""A host on pymodbus that vends from the ZDM8 board behind the serial port PORT, as the vendor's notes say.

    modbus_host.py PORT

Ends with 0 when the board did everything right.
"""

import sys
import time

from pymodbus.client import ModbusSerialClient
from pymodbus.constants import ExcCodes

HARDWARE, SOFTWARE, STATUS, SHIP = 0x0001, 0x0002, 0x0003, 0x2001
IDLE, DISPENSING, SUCCESS = 0, 1, 2
SPRING, DROP_CHECK = 1, 1
DEADLINE_S = 20

client = ModbusSerialClient(sys.argv[1], baudrate=9600, timeout=5, retries=0)
assert client.connect(), "the port does not open"


def read(register, words):
    answer = client.read_holding_registers(register, count=words, device_id=1)
    assert not answer.isError(), answer
    return answer.registers


def ship(slot):
    return client.write_registers(SHIP, [slot << 8 | SPRING, DROP_CHECK << 8], device_id=1)


def refused(answer, code):
    assert answer.isError() and answer.exception_code == code, answer


state = lambda: read(STATUS, 1)[0] >> 8

assert len(read(HARDWARE, 2)) == 2 and len(read(SOFTWARE, 2)) == 2
assert state() == IDLE
refused(ship(100), ExcCodes.ILLEGAL_VALUE)
refused(client.read_holding_registers(0x7000, count=1, device_id=1), ExcCodes.ILLEGAL_ADDRESS)
assert state() == IDLE, "a refused command turned a motor"

answer = ship(5)
assert not answer.isError() and (answer.address, answer.count) == (SHIP, 2), answer
assert state() == DISPENSING
refused(ship(6), ExcCodes.DEVICE_BUSY)
end = time.monotonic() + DEADLINE_S
while (now := state()) == DISPENSING and time.monotonic() < end:
    time.sleep(0.02)
assert now == SUCCESS, now
assert state() == IDLE, "a result that was read is cleared"
print("the board did everything right")
