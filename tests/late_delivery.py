"""Probability of late delivery, calculated again by somebody else's code.

    pip install scikit-learn
    cargo run --release -- --once --deliveries FILE.csv --keep DIR
    python3 tests/late_delivery.py FILE.csv DIR

Reads the file itself (no line of it from a bundle), works out which deliveries were known thirty days
before each was due, predicts each by the rule that credit/models/late-delivery-1.toml states, and
compares every prediction with DIR/late-delivery.csv. Then it calculates AUC, Brier score, log loss,
recalibration and the supplier tables with scikit-learn and compares them with what the bank reported
in DIR/expected.json. Ends with 1 at the first difference.
"""
import csv
import json
import math
import sys
import tomllib
from collections import defaultdict
from datetime import date, datetime, timedelta
from pathlib import Path

import numpy
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import brier_score_loss, log_loss, roc_auc_score

MODEL = Path(__file__).resolve().parent.parent / "credit/models/late-delivery-1.toml"
SPLIT = date(2013, 7, 1)


def day(text):
    return datetime.strptime(text, "%d-%b-%y").date()


def lines(path):
    with open(path, encoding="utf-8-sig", newline="") as file:
        for row in csv.DictReader(file):
            if row["Fulfill Via"] == "Direct Drop":
                due = day(row["Scheduled Delivery Date"])
                came = day(row["Delivered to Client Date"])
                known = max(day(row["Delivery Recorded Date"]), came)
                yield int(row["ID"]), row["Vendor"].strip(), due, came > due, known


def probability(model, history, cut):
    late = weight = 0.0
    for _, _, _, was_late, known in history:
        if known <= cut:
            one = 0.5 ** ((cut - known).days / model["half_life_days"])
            weight += one
            late += one * was_late
    mean = model["mean_ppm"] / 1e6
    return (model["strength"] * mean + late) / (model["strength"] + weight)


def near(what, mine, theirs, within):
    if mine is None or theirs is None or abs(mine - theirs) > within:
        sys.exit(f"{what}: {mine} here, {theirs} there")
    print(f"{what:<24}{mine:.6f}  equal within {within:g}")


def main(file, folder):
    model = tomllib.loads(MODEL.read_text())
    history = defaultdict(list)
    for line in lines(file):
        history[line[1]].append(line)
    horizon = timedelta(model["horizon_days"])
    here = {}
    for of_vendor in history.values():
        for number, _, due, late, _ in of_vendor:
            if due >= SPLIT:
                cut = due - horizon
                known = sum(other[4] <= cut for other in of_vendor)
                here[number] = (known, probability(model, of_vendor, cut), late)
    with open(Path(folder) / "late-delivery.csv", newline="") as scored:
        there = {int(row["goods"].rsplit("LINE", 1)[1]): row for row in csv.DictReader(scored)}
    if here.keys() != there.keys():
        sys.exit(f"{len(here)} deliveries here, {len(there)} there")
    for number, (known, predicted, late) in here.items():
        row = there[number]
        same = known == int(row["known"]) and late == (row["late"] == "true")
        if not same or abs(predicted - float(row["probability"])) > 1e-9:
            sys.exit(f"line {number}: {known}, {predicted}, {late} here, {row} there")
    print(f"{len(here)} predictions  equal within 1e-9")
    compare(model, [one for one in here.values() if one[0] >= model["minimum_known"]], folder)
    standings(model, history, folder)


def compare(model, predicted, folder):
    evaluation = json.loads((Path(folder) / "expected.json").read_text())["late_delivery"]
    quality = evaluation["quality"]
    p = numpy.array([one[1] for one in predicted])
    late = numpy.array([one[2] for one in predicted], dtype=int)
    if (len(late), late.sum()) != (evaluation["tested_on"]["predicted"], evaluation["tested_on"]["predicted_late"]):
        sys.exit("other counts")
    near("AUC", roc_auc_score(late, p), quality["auc"]["value"], 1e-6)
    near("Brier score", brier_score_loss(late, p), quality["brier"]["value"], 1e-6)
    near("log loss", log_loss(late, p), quality["log_loss"], 1e-6)
    odds = numpy.log(p / (1 - p)).reshape(-1, 1)
    fitted = LogisticRegression(C=numpy.inf, tol=1e-12, max_iter=100_000).fit(odds, late)
    near("recalibration intercept", fitted.intercept_[0], quality["intercept"], 1e-4)
    near("recalibration slope", fitted.coef_[0][0], quality["slope"], 1e-4)
    far = 0.0
    for one in quality["calibration"]:
        last = one["below"] >= 1
        inside = (p >= one["from"]) & ((p < one["below"]) | last)
        if (inside.sum(), late[inside].sum()) != (one["deliveries"], one["late"]):
            sys.exit(f"another bin: {one}")
        far += abs(p[inside].mean() - late[inside].mean()) * inside.sum() / len(p)
    near("calibration error", far, quality["calibration_error"], 1e-6)


def standings(model, history, folder):
    expected = json.loads((Path(folder) / "expected.json").read_text())
    figures = {one["supplier"]: one for one in expected["late_delivery"]["suppliers"]}
    vendor_of = {line["line"]: line["vendor"] for line in expected["played"]["deliveries"]["replayed"]}
    compared = 0
    for of_vendor in history.values():
        slug = vendor_of[of_vendor[0][0]]
        # At the split only what was recorded on an earlier day is known; ages count from midnight.
        for key, cut in (("at_split", SPLIT - timedelta(1)), ("at_end", date.max)):
            known = [line for line in of_vendor if line[4] <= cut]
            one = figures[slug][key]
            if (len(known), sum(line[3] for line in known)) != (one["known"], one["late"]):
                sys.exit(f"{slug} {key}: another count")
            if (len(known) >= model["minimum_known"]) != (one["probability"] is not None):
                sys.exit(f"{slug} {key}: a figure where there should be none, or none")
            if key == "at_split" and one["probability"] is not None:
                here = probability(model, of_vendor, cut)
                if math.fabs(here - float(one["probability"])) > 6e-5:
                    sys.exit(f"{slug}: {here} here, {one['probability']} there")
            compared += 1
    print(f"{compared} standings of {len(history)} suppliers  equal")


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    main(sys.argv[1], sys.argv[2])
