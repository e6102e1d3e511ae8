"""A scorecard on the German credit data, made by somebody else's code in the same run.

    pip install optbinning==1.0.0
    cargo build --release -p credit --example scorecard
    python3 tests/scorecard.py FIXTURES target/release/examples/scorecard

Fits optbinning's binning process and a logistic regression on the training half of the fixed fold,
lets the command fit ours, calculates AUC and KS of both on the other half with scikit-learn and
SciPy, and prints them beside each other with the times. Ends with 1 if ours says another figure of
itself than scikit-learn does, took longer than a second, or is below 0.764 (AUC) or 0.425 (KS).
"""
import json
import subprocess
import sys
import time
import warnings
from pathlib import Path

warnings.filterwarnings("ignore")
import pandas
from optbinning import BinningProcess, Scorecard
from scipy.stats import ks_2samp
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score

AUC, KS, SECONDS = 0.764, 0.425, 1.0


def figures(bad, risk):
    return roc_auc_score(bad, risk), ks_2samp(risk[bad], risk[~bad]).statistic


def theirs(folder):
    data = pandas.read_csv(Path(folder) / "scorecard/german_credit_with_fold.csv")
    bad, train = data.creditability == "bad", data.fold == "train"
    rows = data.drop(columns=["fold", "creditability"])
    names = [name for name in rows if not pandas.api.types.is_numeric_dtype(rows[name])]
    began = time.perf_counter()
    process = BinningProcess(
        list(rows.columns), categorical_variables=names, selection_criteria={"iv": {"min": 0.02}}
    )
    card = Scorecard(
        binning_process=process,
        estimator=LogisticRegression(max_iter=1000),
        scaling_method="pdo_odds",
        scaling_method_params={"pdo": 20, "odds": 50, "scorecard_points": 600},
    )
    card.fit(rows[train], bad[train].astype(int))
    seconds = time.perf_counter() - began
    return *figures(bad[~train].to_numpy(), card.predict_proba(rows[~train])[:, 1]), seconds


def ours(folder, command):
    done = subprocess.run([*command, folder], check=True, capture_output=True, text=True)
    report = json.loads(done.stdout)
    german = report["german"]
    tested = pandas.DataFrame(german["tested"], columns=["risk", "bad"])
    auc, ks = figures(tested.bad.to_numpy(), tested.risk.to_numpy())
    if abs(auc - german["auc"]) > 1e-9 or abs(ks - german["ks"]) > 1e-9:
        sys.exit(f"scikit-learn finds {auc}, {ks}; the command says {german['auc']}, {german['ks']}")
    return (auc, ks, german["fit_seconds"]), report["deliveries"]


def main(folder, command):
    other = theirs(folder)
    own, deliveries = ours(folder, command)
    print(f"{'':<12}{'AUC':>8}{'KS':>8}{'fit, s':>9}")
    for name, (auc, ks, seconds) in (("optbinning", other), ("tracebond", own)):
        print(f"{name:<12}{auc:>8.4f}{ks:>8.4f}{seconds:>9.3f}")
    auc = deliveries["auc"]
    print(
        f"late deliveries out of time: AUC {auc['value']:.4f} ({auc['low']:.4f} to {auc['high']:.4f},"
        f" whole suppliers drawn), {deliveries['tested_on']} deliveries"
    )
    if own[0] < AUC or own[1] < KS or own[2] > SECONDS:
        sys.exit(f"aims: AUC {AUC}, KS {KS}, at most {SECONDS} s")


if __name__ == "__main__":
    if len(sys.argv) < 3:
        sys.exit(__doc__)
    main(sys.argv[1], sys.argv[2:])
