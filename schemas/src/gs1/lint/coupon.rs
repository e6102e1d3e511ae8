//! The two North American coupon codes, AI 8110 and 8112: digits whose fields say their own length.

use super::{Fault, Reading, date, digit_of};

/// Reads fields off the front of a row of digits.
struct Fields<'v>(&'v str);

impl<'v> Fields<'v> {
    fn take(&mut self, length: usize) -> Result<&'v str, Fault> {
        let (field, rest) = self
            .0
            .split_at_checked(length)
            .ok_or(Fault("ends within a field of the coupon code"))?;
        self.0 = rest;
        Ok(field)
    }

    /// One digit between `low` and `high`.
    fn digit(&mut self, low: usize, high: usize) -> Result<usize, Fault> {
        let digit = digit_of(self.take(1)?).ok_or(Fault("must be digits"))?;
        if (low..=high).contains(&digit) {
            Ok(digit)
        } else {
            Err(Fault(
                "has a digit that its field of the coupon code does not know",
            ))
        }
    }

    /// A field whose length, less `base`, stands before it as a digit between `low` and `high`.
    fn counted(&mut self, low: usize, high: usize, base: usize) -> Result<(), Fault> {
        let length = self.digit(low, high)? + base;
        self.take(length).map(drop)
    }

    /// What must be bought: how much, by which measure (0 to 4 and 9), of which family.
    fn purchase(&mut self) -> Reading {
        self.counted(1, 5, 0)?;
        self.measure()?;
        self.take(3).map(drop)
    }

    fn measure(&mut self) -> Reading {
        match self.digit(0, 9)? {
            0..=4 | 9 => Ok(()),
            _ => Err(Fault("has an unknown purchase requirement")),
        }
    }

    /// The company of a further purchase; 9 where it is the first one's.
    fn other_company(&mut self) -> Reading {
        match self.digit(0, 9)? {
            9 => Ok(()),
            length @ 0..=6 => self.take(length + 6).map(drop),
            _ => Err(Fault("has a company prefix of unknown length")),
        }
    }

    fn day(&mut self) -> Result<&'v str, Fault> {
        let day = self.take(6)?;
        date::yymmdd(day)?;
        Ok(day)
    }
}

fn all_digits(value: &str) -> Reading {
    if value.bytes().all(|byte| byte.is_ascii_digit()) {
        Ok(())
    } else {
        Err(Fault("must be digits"))
    }
}

/// AI 8110: company, offer, saving and first purchase, then optional fields by ascending number.
pub(super) fn code(value: &str) -> Reading {
    all_digits(value)?;
    let mut fields = Fields(value);
    fields.counted(0, 6, 6)?;
    fields.take(6)?;
    fields.counted(1, 5, 0)?;
    fields.purchase()?;
    let (mut last, mut expires) = (0, None);
    while !fields.0.is_empty() {
        let number = fields.digit(1, 9)?;
        if number <= last {
            return Err(Fault("has optional coupon fields out of order"));
        }
        last = number;
        match number {
            3 => expires = Some(fields.day()?),
            4 => starts_before(fields.day()?, expires)?,
            _ => optional(&mut fields, number)?,
        }
    }
    Ok(())
}

fn starts_before(start: &str, expires: Option<&str>) -> Reading {
    if expires.is_some_and(|expires| expires < start) {
        Err(Fault("is a coupon that expires before it starts"))
    } else {
        Ok(())
    }
}

/// Fields 1, 2 (further purchases), 5 (serial), 6 (retailer), 9 (miscellaneous).
fn optional(fields: &mut Fields<'_>, number: usize) -> Reading {
    match number {
        1 => {
            fields.digit(0, 3)?;
            fields.purchase()?;
            fields.other_company()
        }
        2 => {
            fields.purchase()?;
            fields.other_company()
        }
        5 => fields.counted(0, 9, 6),
        6 => fields.counted(1, 7, 6),
        9 => {
            if !matches!(fields.digit(0, 9)?, 0 | 1 | 2 | 5 | 6) {
                return Err(Fault("has an unknown save value code"));
            }
            fields.digit(0, 2)?;
            fields.digit(0, 9)?;
            fields.digit(0, 1).map(drop)
        }
        _ => Err(Fault("has an unknown optional coupon field")),
    }
}

/// AI 8112: format, funder, offer and serial.
pub(super) fn positive_offer(value: &str) -> Reading {
    all_digits(value)?;
    let mut fields = Fields(value);
    fields.digit(0, 1)?;
    fields.counted(0, 6, 6)?;
    fields.take(6)?;
    fields.counted(0, 9, 6)?;
    if fields.0.is_empty() {
        Ok(())
    } else {
        Err(Fault("goes on behind the serial of the coupon"))
    }
}
