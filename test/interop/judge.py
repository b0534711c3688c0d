"""Scapy as a host of the lab: sends frames and judges those that arrive. Reads one JSON object, prints one.

    {"device": "eth0", "seconds": 1,
     "send": ["Ether(dst=...)/IP(...)/UDP()", ...],    expressions in scapy's language
     "match": "ICMP in p",                             which arriving frames p are meant
     "fields": {"source": "p[IP].src", ...}}           what is told of each

    -> {"received": [{"valid": true, "source": "101.101.101.3", ...}, ...]}

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


def main():
    request = json.load(sys.stdin)
    scapy.conf.verb = 0
    device = request["device"]
    frames = [evaluate(expression) for expression in request["send"]]
    ours = {bytes(frame) for frame in frames}
    sniffer = scapy.AsyncSniffer(iface=device, store=True)
    sniffer.start()
    time.sleep(0.3)
    socket = scapy.conf.L2socket(iface=device)
    for frame in frames:
        socket.send(frame)
    time.sleep(request["seconds"])
    received = []
    for p in sniffer.stop():
        data = bytes(p)
        if data not in ours and evaluate(request["match"], p=p):
            told = {name: evaluate(expression, p=p) for name, expression in request["fields"].items()}
            received.append({"valid": rebuilt(data) == data, **told})
    json.dump({"received": received}, sys.stdout, default=str)


main()
