"""Repayment schedules, calculated again by somebody else's code.

    pip install QuantLib
    SCHEDULES=/tmp/schedules.jsonl cargo test -p credit -- --ignored written_for_somebody_else
    python3 tests/schedules.py /tmp/schedules.jsonl

Dates, the shift of holidays and day counts are QuantLib's; amounts are exact fractions, and the annuity
comes from the growth of balances, not from discounting. Ends with 1 if any of the schedules differs.
"""
import json
import sys
import tomllib
from fractions import Fraction
from pathlib import Path

import QuantLib as ql

CALENDAR = Path(__file__).resolve().parent.parent / "credit/products/calendars/cn.toml"
DAY_COUNTS = {
    "Thirty360": (ql.Thirty360(ql.Thirty360.BondBasis), 360),
    "ThirtyE360": (ql.Thirty360(ql.Thirty360.EurobondBasis), 360),
    "Act360": (ql.Actual360(), 360),
    "Act364": (ql.Actual364(), 364),
    "Act365": (ql.Actual365Fixed(), 365),
    "ActAct": (ql.ActualActual(ql.ActualActual.ISDA), None),
}
SHIFTS = {
    "None": ql.Unadjusted,
    "Following": ql.Following,
    "ModifiedFollowing": ql.ModifiedFollowing,
    "Preceding": ql.Preceding,
}
UNITS = {"Days": ql.Days, "Weeks": ql.Weeks, "Months": ql.Months}


def day(text):
    year, month, day = map(int, text.split("-"))
    return ql.Date(day, month, year)


def calendar():
    """QuantLib's weekends cannot be worked, so every weekend day that is not is a holiday here."""
    raw = tomllib.loads(CALENDAR.read_text())
    made = ql.BespokeCalendar(raw["id"])
    working = set(raw["working"])
    for number in range(day("2000-01-01").serialNumber(), day("2199-12-31").serialNumber()):
        date = ql.Date(number)
        if date.weekday() in (ql.Saturday, ql.Sunday) and date.ISO() not in working:
            made.addHoliday(date)
    for text in raw["holidays"]:
        made.addHoliday(day(text))
    return made


def fraction(name, start, end):
    count, year = DAY_COUNTS[name]
    if year:
        return Fraction(count.dayCount(start, end), year)
    # QuantLib's is a float: the nearest number of 365ths of 366ths is what it means.
    units = count.yearFraction(start, end) * 365 * 366
    assert abs(units - round(units)) < 1e-3, units
    return Fraction(round(units), 365 * 366)


def rounded(amount, unit, mode):
    units, rest = divmod(amount / unit, 1)
    half = Fraction(1, 2)
    up = {
        "HalfUp": rest >= half,
        "HalfEven": rest > half or (rest == half and units % 2 == 1),
        "Down": False,
        "Up": rest > 0,
    }[mode]
    return int(units + up) * unit


def periods(terms, holidays):
    """Due dates and the parts of a year that bear interest."""
    start = before = day(terms["start"])
    dues, parts = [], []
    for number in range(1, terms["instalments"] + 1):
        step = ql.Period(terms["every"] * number, UNITS[terms["unit"]])
        regular = ql.NullCalendar().advance(start, step, ql.Unadjusted, terms["month_end"])
        due = max(holidays.adjust(regular, SHIFTS[terms["shift"]]), start)
        end = due if terms["interest_follows"] else regular
        if not terms["equal_periods"]:
            part = fraction(terms["day_count"], before, end)
        elif terms["unit"] == "Months":
            part = Fraction(terms["every"], 12)
        else:
            days = terms["every"] * (7 if terms["unit"] == "Weeks" else 1)
            part = Fraction(days, DAY_COUNTS[terms["day_count"]][1])
        dues.append(due.ISO())
        parts.append(part if number > terms["grace"][2] else Fraction(0))
        before = end
    return dues, parts


def amounts(terms, parts):
    principal, count = terms["fen"], terms["instalments"]
    rate = Fraction(terms["rate"], 100_000_000)
    grace, deferred, _ = terms["grace"]
    mode, repaying = terms["mode"], count - grace

    def interest(owed, part):
        return rounded(owed * rate * part, terms["interest_unit"], mode)

    def instalment(amount):
        return rounded(amount, terms["instalment_unit"], mode)

    def walk(share):
        balance, charged, rows = principal, 0, []
        for number, part in enumerate(parts):
            last = number == count - 1
            due = interest(principal if terms["flat"] else balance, part)
            if terms["flat"] and last:
                due = max(0, interest(principal, sum(parts)) - charged)
            repaid = 0 if number < grace else min(max(share(due), 0), balance)
            repaid = balance if last else repaid
            balance -= repaid
            charged += due
            rows.append([repaid, due])
        return rows

    if terms["amortisation"] == "Bullet":
        rows = walk(lambda _: 0)
    elif terms["amortisation"] == "EqualPrincipal":
        share = instalment(Fraction(principal, repaying))
        rows = walk(lambda _: share)
    else:
        if terms["flat"]:
            exact = (principal + principal * rate * sum(parts[grace:])) / repaying
        else:
            grown, paid = Fraction(principal), Fraction(0)
            for part in parts[grace:]:
                grown *= 1 + rate * part
                paid = paid * (1 + rate * part) + 1
            exact = grown / paid
        level = instalment(exact)
        rows = walk(lambda due: level - due)
        for _ in range(8 if terms["evened"] else 0):
            off = sum(rows[-1]) - level
            step = instalment(Fraction(abs(off), repaying)) * (1 if off >= 0 else -1)
            moved = walk(lambda due: level + step - due)
            if step == 0 or abs(sum(moved[-1]) - level - step) >= abs(off):
                break
            level, rows = level + step, moved
    waiting = sum(due for _, due in rows[:deferred])
    for row in rows[:deferred]:
        row[1] = 0
    rows[deferred][1] += waiting
    return rows


def main(path):
    holidays, wrong, count = calendar(), 0, 0
    with open(path, encoding="utf-8") as lines:
        for line in lines:
            terms = json.loads(line)
            dues, parts = periods(terms, holidays)
            expected = [[due, *row] for due, row in zip(dues, amounts(terms, parts))]
            count += 1
            if expected != terms["rows"]:
                wrong += 1
                differing = [pair for pair in zip(expected, terms["rows"]) if pair[0] != pair[1]]
                terms.pop("rows")
                print(terms, differing[:3], sep="\n")
    print(f"{count} schedules, {wrong} differ")
    return 1 if wrong or not count else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
