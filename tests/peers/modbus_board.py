"""ZDM8 driver boards on pymodbus: an implementation of Modbus that knows nothing of ours.

    modbus_board.py LINK

makes LINK a serial port with the boards behind it, prints "ready", then a line "turn SLOT" for each turn.
It runs until its standard input ends.
"""

import asyncio
import os
import sys
import termios
import threading
import time
import tty

from pymodbus.constants import ExcCodes
from pymodbus.server import ModbusSerialServer
from pymodbus.simulator import DataType, SimData, SimDevice

TURN_S = 0.4
HARDWARE, STATUS, SHIP = 0x0001, 0x0003, 0x2001
IDLE, DISPENSING, SUCCESS = 0, 1, 2
READ, WRITE_MANY = 3, 16
SLOTS = 100


class Board:
    """Register map of the vendor's notes: a result is there until it is read."""

    def __init__(self):
        self.ends = None

    async def access(self, function, start, address, count, registers, values):
        if function == WRITE_MANY and address == SHIP:
            return self.ship(values)
        if function == READ and address == STATUS:
            registers[STATUS - start] = self.state() << 8
        return None

    def ship(self, values):
        slot = values[0] >> 8
        if self.ends is not None:
            return ExcCodes.DEVICE_BUSY
        if slot >= SLOTS:
            return ExcCodes.ILLEGAL_VALUE
        self.ends = time.monotonic() + TURN_S
        print(f"turn {slot}", flush=True)
        return None

    def state(self):
        if self.ends is None:
            return IDLE
        if time.monotonic() < self.ends:
            return DISPENSING
        self.ends = None
        return SUCCESS


def raw_pty():
    master, slave = os.openpty()
    tty.setraw(slave, termios.TCSANOW)
    return master, slave


def carry(source, sink):
    """One direction of the cable. A side that nobody has open is waited for."""
    while True:
        try:
            os.write(sink, os.read(source, 256))
        except OSError:
            time.sleep(0.01)


async def main(link):
    # Two ptys with a cable between them: the agent opens one, pymodbus the other. Both slaves stay open here.
    (ours, our_slave), (theirs, their_slave) = raw_pty(), raw_pty()
    for source, sink in ((ours, theirs), (theirs, ours)):
        threading.Thread(target=carry, args=(source, sink), daemon=True).start()
    os.symlink(os.ttyname(our_slave), link)
    memory = [
        SimData(HARDWARE, values=[0x2401, 0x0A0A, 0, 0], datatype=DataType.REGISTERS),
        SimData(SHIP, values=[0, 0], datatype=DataType.REGISTERS),
    ]
    # All addresses of the profile: the host need not wait for those that are silent.
    devices = [SimDevice(id=address, simdata=memory, action=Board().access) for address in range(1, 9)]
    server = ModbusSerialServer(devices, port=os.ttyname(their_slave), baudrate=9600)
    await server.serve_forever(background=True)
    print("ready", flush=True)
    await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)
    os._exit(0)


asyncio.run(main(sys.argv[1]))
