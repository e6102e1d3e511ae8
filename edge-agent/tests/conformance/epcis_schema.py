#!/usr/bin/env python3
"""Events as edge-agent composes them, against GS1's own JSON schema of EPCIS 2.0.

    pip install jsonschema
    edge-agent/tests/conformance/epcis_schema.py [PROGRAM]     default target/debug/edge-agent

A configuration with every kind of rule, a position and plain lines runs in `edge-agent preview`: over
a made-up tree of sysfs whose thermometer rises beyond its limit and falls again, a made-up gpsd, and
codes on standard input. What it would sign is judged by a validator that nobody here wrote. Every
kind of event must have come: one that is missing is a failure too, and so is a missing schema.

The schema lies among the fixtures (TRACEBOND_FIXTURES, default ../shared/fixtures), in `epcis-spec/`.
"""

import json
import os
import pathlib
import queue
import socket
import subprocess
import sys
import tempfile
import threading
import time

import jsonschema

ROOT = pathlib.Path(__file__).resolve().parents[3]
FIXTURES = pathlib.Path(os.environ.get("TRACEBOND_FIXTURES", ROOT.parent / "shared/fixtures"))
SCHEMA = FIXTURES / "epcis-spec/EPCIS-JSON-Schema.json"
# Seconds until every kind must have come.
DEADLINE = 60
PLACE = "https://id.gs1.org/414/9521001000024"
# Thousandths of a degree, one after the other: 9 is beyond the limit of 8.
COURSE = [4000, 4100, 5500, 9000, 9500, 9200, 4000, 4050, 4020, 4000]

SENSOR = """
[[source]]
type = "iio"
name = "{name}"
root = "{root}"
device = "chip"
channel = "temp"
interval_s = {interval}
sensor = "https://id.gs1.org/8004/9521001{name}"
measurement = "Temperature"
uom = "CEL"
alarm_max = 8.0
plausible_max = 9.4
place = "{place}"
biz_location = "{place}"
{more}
"""

REST = """
[[source]]
type = "gpsd"
name = "TRUCK"
address = "{gpsd}"
interval_s = 0.5
sensor = "https://id.gs1.org/8004/9521001GPS1"
place = "{place}"

[[source]]
type = "scan"
name = "codes"
path = "{codes}"
place = "{place}"
poll_ms = 20

[[source]]
type = "file"
name = "lines"
path = "{lines}"
place = "{place}"
poll_ms = 20

[[rule]]
type = "window"
source = "WINDOW"
window_s = 2
report = ["last", "mean", "min", "max", "sdev", "p5", "p95"]

[[rule]]
type = "window"
source = "TRUCK"
window_s = 2

[[rule]]
type = "dead_band"
source = "BAND"
band = 0.5
every_s = 3

[[rule]]
type = "excursion"
source = "EXCURSION"
begin_after = 2
end_after = 2

[[rule]]
type = "scan"
source = "codes"
select = "RECEIVE"
step = "receiving"
disposition = "in_progress"
transaction = "po"
transaction_gln = "9521001000024"
sources = {{ owning_party = "(417)9521001000048" }}
destinations = {{ location = "(414)9521001000024" }}

[[rule]]
type = "pack"
source = "codes"
select = "PACK"
step = "packing"
close = "DONE"

[[rule]]
type = "unpack"
source = "codes"
select = "UNPACK"
step = "unpacking"
close = "DONE"

[[rule]]
type = "recipe"
source = "codes"
select = "MIX"
step = "creating_class_instance"
inputs = [{{ item = "(01)09521001000017", quantity = 25, uom = "KGM" }}]
outputs = [{{ item = "(01)09521001000031", quantity = 120, uom = "KGM" }}]
close = "DONE"
"""

CODES = [
    "RECEIVE",
    "(400)4711",
    "(01)09521001000017(21)R1",
    "PACK",
    "(00)095210010000000017",
    "(01)09521001000017(21)S1",
    "(01)09521001000017(10)L1(30)12",
    "DONE",
    "UNPACK",
    "(00)095210010000000017",
    "(01)09521001000017(21)S1",
    "DONE",
    "MIX",
    "(01)09521001000017(10)L1",
    "(01)09521001000031(10)M1",
    "DONE",
]

LINES = [
    {"step": "commissioning", "items": ["(01)09521001000017(21)S9"],
     "extra": {"ilmd": {"cbvmda:lotNumber": "L9"}}},
    {"step": "storing", "items": [{"id": "(01)09521001000017(10)L1", "quantity": 2.5, "uom": "KGM"}]},
    {"step": "shipping", "items": ["(00)095210010000000024"], "disposition": "in_transit",
     "time": "2026-11-22T08:00:00+08:00"},
]


def is_kind(event):
    """What an event shows that it is."""
    kinds = {event["type"] + " " + event.get("bizStep", "")}
    for element in event.get("sensorElementList", []):
        for report in element["sensorReport"]:
            kinds.update(name for name in ("meanValue", "sDev", "percValue", "exception",
                                           "tb:quality", "component") if name in report)
        meta = element.get("sensorMetadata", {})
        if "startTime" in meta or any("startTime" in one for one in element["sensorReport"]):
            kinds.add("stretch")
        for name in ("tb:excursion", "tb:readings"):
            if name in json.dumps(element):
                kinds.add(name)
    if "tb:excursion" in json.dumps(event):
        kinds.add("tb:excursion")
    return kinds


WANTED = {
    "ObjectEvent sensor_reporting", "ObjectEvent receiving", "ObjectEvent commissioning",
    "ObjectEvent storing", "ObjectEvent shipping", "AggregationEvent packing",
    "AggregationEvent unpacking", "TransformationEvent creating_class_instance",
    "meanValue", "sDev", "percValue", "exception", "component", "stretch", "tb:excursion",
    "tb:quality",
}


def serve_gpsd(listener):
    """One fix after the other, by the clock of this machine."""
    def speak(connection):
        connection.sendall(b'{"class":"VERSION","release":"3.22","proto_major":3,"proto_minor":14}\n')
        try:
            while True:
                now = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime())
                millis = int(time.time() * 1000) % 1000
                fix = {"class": "TPV", "device": "/dev/gps", "mode": 3, "lat": 31.2304,
                       "lon": 121.4737, "eph": 4.0, "time": f"{now}.{millis:03}Z"}
                asked = connection.recv(4096)
                if not asked:
                    return
                text = json.dumps(fix).encode() + b"\n"
                if b"?POLL" in asked:
                    poll = {"class": "POLL", "time": fix["time"], "active": 1, "tpv": [fix]}
                    text = json.dumps(poll).encode() + b"\n"
                connection.sendall(text)
        except OSError:
            pass

    while True:
        connection, _ = listener.accept()
        threading.Thread(target=speak, args=(connection,), daemon=True).start()


def write_config(folder, gpsd):
    """The configuration, and the tree of the thermometer."""
    chip = folder / "sys/bus/iio/devices/iio:device0"
    chip.mkdir(parents=True)
    (chip / "name").write_text("chip\n")
    (chip / "in_temp_input").write_text(f"{COURSE[0]}\n")
    (folder / "lines").touch()
    names = {"BATCH": "readings_per_event = 3", "WINDOW": "", "BAND": "", "EXCURSION": ""}
    text = f'state = "{folder}/state"\n'
    for name, more in names.items():
        text += SENSOR.format(name=name, root=folder / "sys", interval=0.25, place=PLACE, more=more)
    text += REST.format(gpsd=gpsd, place=PLACE, codes=folder / "codes", lines=folder / "lines")
    path = folder / "edge-agent.toml"
    path.write_text(text)
    return path, chip / "in_temp_input"


def run(program, folder):
    """Events as they come, until every kind has come or the deadline."""
    listener = socket.create_server(("127.0.0.1", 0))
    threading.Thread(target=serve_gpsd, args=(listener,), daemon=True).start()
    config, probe = write_config(folder, f"127.0.0.1:{listener.getsockname()[1]}")
    agent = subprocess.Popen(
        [program, "preview", "--config", config, "--json", "--stdin"],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    lines = queue.Queue()
    threading.Thread(target=lambda: [lines.put(line) for line in agent.stdout] + [lines.put(None)],
                     daemon=True).start()
    agent.stdin.write("".join(code + "\n" for code in CODES))
    agent.stdin.flush()
    events, found, begun, step, told = [], set(), time.monotonic(), 0, False
    while WANTED - found and time.monotonic() < begun + DEADLINE:
        value = COURSE[min(int(time.monotonic() - begun), len(COURSE) - 1)]
        fresh = probe.with_suffix(".new")
        fresh.write_text(f"{value}\n")
        fresh.rename(probe)
        try:
            line = lines.get(timeout=0.2)
        except queue.Empty:
            continue
        if line is None:
            break
        if not told:
            # Files are read from where they end when the preview begins: it has begun now.
            told = True
            with open(folder / "lines", "a", encoding="utf-8") as file:
                file.writelines(json.dumps(one) + "\n" for one in LINES)
        shown = json.loads(line)
        if shown["kind"] == "event":
            events.append(shown["event"])
            found |= is_kind(shown["event"])
    agent.stdin.close()
    for line in iter(lambda: lines.get(timeout=DEADLINE), None):
        shown = json.loads(line)
        if shown["kind"] == "event":
            events.append(shown["event"])
            found |= is_kind(shown["event"])
    agent.wait(timeout=DEADLINE)
    return events, WANTED - found


def main():
    program = sys.argv[1] if len(sys.argv) > 1 else ROOT / "target/debug/edge-agent"
    schema = json.loads(SCHEMA.read_text(encoding="utf-8"))
    validator = jsonschema.validators.validator_for(schema)(schema)
    with tempfile.TemporaryDirectory() as folder:
        events, missing = run(program, pathlib.Path(folder))
    bad = 0
    for event in events:
        errors = sorted(validator.iter_errors(event), key=lambda error: list(map(str, error.path)))
        if errors:
            bad += 1
            best = jsonschema.exceptions.best_match(errors)
            print(json.dumps(event, indent=1), f"\n  {best.json_path}: {best.message:.300}")
    # A validator that finds nothing wrong in anything would prove nothing.
    broken = dict(events[0], eventTime="yesterday", eventTimeZoneOffset=8) if events else {}
    blind = validator.is_valid(broken)
    print(f"{len(events)} events, {bad} refused; missing kinds: {sorted(missing) or 'none'}")
    sys.exit(1 if bad or missing or blind or not events else 0)


if __name__ == "__main__":
    main()
