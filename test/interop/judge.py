"""Scapy on a device of the lab, driven line by line: a JSON object in, a JSON object out.

    {"listen": {"match": "ICMP in p", "fields": {"source": "p[IP].src"}}}   from now on, which arriving frames p are meant
    {"send": ["Ether(dst=...)/IP(...)/UDP()"]}                              frames, in scapy's language
    {"collect": {"count": 1, "seconds": 2}}    waits for so many, returns all: [{"valid": true, "source": "203.0.113.1"}]

`valid`: built again with every length and checksum computed afresh, the frame has the very same bytes.
"""
import json
import sys
import time

import scapy.all as scapy

COMPUTED = ("chksum", "len", "ihl", "dataofs")
# What an ICMP error quotes is cut off, so that its sums cannot be computed.
QUOTED = ("IP in ICMP", "TCP in ICMP", "UDP in ICMP", "ICMP in ICMP")


def rebuilt(data):
    frame = scapy.Ether(data)
    layer = frame
    while not isinstance(layer, scapy.NoPayload) and layer.name not in QUOTED:
        for field in COMPUTED:
            layer.fields.pop(field, None)
        layer = layer.payload
    return bytes(frame)


def evaluate(expression, **names):
    return eval(expression, {**vars(scapy), **names})


class Device:
    def __init__(self, name):
        self.socket = scapy.conf.L2socket(iface=name)
        self.name = name
        self.sniffer = None
        self.sent = set()
        self.received = []

    def listen(self, match, fields):
        self.sent, self.received = set(), []

        def arrived(p):
            data = bytes(p)
            if data in self.sent or not evaluate(match, p=p):
                return
            told = {field: evaluate(expression, p=p) for field, expression in fields.items()}
            self.received.append({"valid": rebuilt(data) == data, **told})

        started = []
        self.sniffer = scapy.AsyncSniffer(iface=self.name, store=False, prn=arrived, started_callback=lambda: started.append(1))
        self.sniffer.start()
        while not started:
            time.sleep(0.005)
        return {}

    def send(self, expressions):
        frames = [evaluate(expression) for expression in expressions]
        self.sent.update(bytes(frame) for frame in frames)
        for frame in frames:
            self.socket.send(frame)
        return {}

    def collect(self, count, seconds):
        deadline = time.monotonic() + seconds
        while len(self.received) < count and time.monotonic() < deadline:
            time.sleep(0.005)
        self.sniffer.stop()
        return self.received


def main():
    scapy.conf.verb = 0
    device = Device(sys.argv[1])
    print(json.dumps({}), flush=True)
    for line in sys.stdin:
        request = json.loads(line)
        if "listen" in request:
            reply = device.listen(**request["listen"])
        elif "send" in request:
            reply = device.send(request["send"])
        else:
            reply = device.collect(**request["collect"])
        print(json.dumps(reply, default=str), flush=True)


main()
