//! Deterministic CBOR of an attestation (`attestation.md` sections 1 and 2).

use super::facts::{
    ApprovalFacts, BuyerFacts, Day, InvoiceFacts, LEAVES_MAX, Period, REFERENCE_MAX, StandingFacts,
    Sum, TaxGrade,
};
use super::{Attestation, AttestationError, Facts, Kind, SubjectCode};
use crate::cbor::{CborError, MapKeys, Reader, Writer};
use crate::consent::read_slug;
use crate::hash::Hash;
use crate::statement::instant;

impl Attestation {
    /// Deterministic CBOR.
    #[must_use]
    pub fn payload(&self) -> Vec<u8> {
        let mut w = Writer::new();
        w.map(10).uint(0).bytes(&self.log.0);
        w.uint(1).text(self.issuer.as_str());
        w.uint(2).uint(self.number);
        w.uint(3).uint(self.kind().number());
        w.uint(4).text(self.subject.as_str());
        w.uint(5).text(self.code.as_str());
        w.uint(6).bytes(&self.consent.0);
        w.uint(7).uint(self.issued.as_unsigned());
        w.uint(8).uint(self.expires.as_unsigned());
        self.facts.members().write(w.uint(9));
        w.finish()
    }

    pub(super) fn read(bytes: &[u8]) -> Result<Self, AttestationError> {
        let mut r = Reader::new(bytes);
        let mut keys = r.map("attestation")?;
        keys.required(&mut r, 0)?;
        let log = r.hash("log")?;
        keys.required(&mut r, 1)?;
        let issuer = read_slug(&mut r, "issuer")?;
        keys.required(&mut r, 2)?;
        let number = r.uint("number")?;
        keys.required(&mut r, 3)?;
        let kind = Kind::from_number(r.uint("kind")?).ok_or(CborError::Limit("kind"))?;
        keys.required(&mut r, 4)?;
        let subject = read_slug(&mut r, "subject")?;
        keys.required(&mut r, 5)?;
        let code = read_code(&mut r)?;
        keys.required(&mut r, 6)?;
        let consent = r.hash("consent")?;
        keys.required(&mut r, 7)?;
        let issued = instant(&mut r, "issued")?;
        keys.required(&mut r, 8)?;
        let expires = instant(&mut r, "expires")?;
        keys.required(&mut r, 9)?;
        let facts = Members::read(&mut r)?.into_facts(kind)?;
        keys.end()?;
        r.end()?;
        Ok(Self {
            log,
            issuer,
            number,
            subject,
            code,
            consent,
            issued,
            expires,
            facts,
        })
    }
}

fn read_code(r: &mut Reader<'_>) -> Result<SubjectCode, CborError> {
    let text = r.text("code", SubjectCode::LENGTH)?;
    text.parse().map_err(|_| CborError::Limit("code"))
}

/// The map of facts before its kind is looked at: every member that any kind has.
#[derive(Default)]
struct Members {
    amount: Option<u64>,
    currency: Option<[u8; 3]>,
    from: Option<Day>,
    to: Option<Day>,
    document: Option<Hash>,
    count: Option<u64>,
    grade: Option<TaxGrade>,
    reference: Option<String>,
    due: Option<Day>,
    leaves: Option<Vec<Hash>>,
}

impl Members {
    fn len(&self) -> usize {
        let there = [
            self.amount.is_some(),
            self.currency.is_some(),
            self.from.is_some(),
            self.to.is_some(),
            self.document.is_some(),
            self.count.is_some(),
            self.grade.is_some(),
            self.reference.is_some(),
            self.due.is_some(),
            self.leaves.is_some(),
        ];
        there.into_iter().filter(|is_there| *is_there).count()
    }

    fn write(&self, w: &mut Writer) {
        let currency = self.currency.as_ref();
        let currency = currency.and_then(|letters| std::str::from_utf8(letters).ok());
        let day = |day: Option<Day>| day.map(Day::number);
        w.map(self.len());
        uint(w, 0, self.amount);
        text(w, 1, currency);
        uint(w, 2, day(self.from));
        uint(w, 3, day(self.to));
        if let Some(document) = &self.document {
            w.uint(4).bytes(&document.0);
        }
        uint(w, 5, self.count);
        uint(w, 6, self.grade.map(|grade| grade as u64));
        text(w, 7, self.reference.as_deref());
        uint(w, 8, day(self.due));
        if let Some(leaves) = &self.leaves {
            w.uint(9).array(leaves.len());
            for leaf in leaves {
                w.bytes(&leaf.0);
            }
        }
    }

    fn read(r: &mut Reader<'_>) -> Result<Self, CborError> {
        let mut keys = r.map("facts")?;
        let members = Self {
            amount: optional(r, &mut keys, 0, |r| r.uint("amount"))?,
            currency: optional(r, &mut keys, 1, read_currency)?,
            from: optional(r, &mut keys, 2, |r| read_day(r, "from"))?,
            to: optional(r, &mut keys, 3, |r| read_day(r, "to"))?,
            document: optional(r, &mut keys, 4, |r| r.hash("document"))?,
            count: optional(r, &mut keys, 5, |r| r.uint("count"))?,
            grade: optional(r, &mut keys, 6, read_grade)?,
            reference: optional(r, &mut keys, 7, read_reference)?,
            due: optional(r, &mut keys, 8, |r| read_day(r, "due"))?,
            leaves: optional(r, &mut keys, 9, read_leaves)?,
        };
        keys.end()?;
        Ok(members)
    }

    /// Takes out what the kind has; what is left over belongs to another kind.
    fn into_facts(mut self, kind: Kind) -> Result<Facts, CborError> {
        let facts = match kind {
            Kind::TaxInvoices => Facts::Invoices(InvoiceFacts {
                invoiced: self.sum()?,
                period: self.period()?,
                count: needed(self.count.take(), "count")?,
                document: self.document.take(),
            }),
            Kind::TaxStanding => Facts::Standing(StandingFacts {
                arrears: self.sum()?,
                period: self.period()?,
                grade: needed(self.grade.take(), "grade")?,
                document: self.document.take(),
            }),
            Kind::GovernmentApproval => Facts::Approval(ApprovalFacts {
                reference: needed(self.reference.take(), "reference")?,
                period: self.period()?,
                document: needed(self.document.take(), "document")?,
            }),
            Kind::BuyerConfirmation => Facts::Buyer(BuyerFacts {
                owed: self.sum()?,
                document: needed(self.document.take(), "document")?,
                reference: self.reference.take(),
                due: self.due.take(),
                leaves: self.leaves.take().unwrap_or_default(),
            }),
        };
        match self.len() {
            0 => Ok(facts),
            _ => Err(CborError::Keys("facts")),
        }
    }

    fn sum(&mut self) -> Result<Sum, CborError> {
        Ok(Sum {
            amount: needed(self.amount.take(), "amount")?,
            currency: needed(self.currency.take(), "currency")?,
        })
    }

    fn period(&mut self) -> Result<Period, CborError> {
        Ok(Period {
            from: needed(self.from.take(), "from")?,
            to: needed(self.to.take(), "to")?,
        })
    }
}

impl Facts {
    fn members(&self) -> Members {
        let of = |sum: Option<Sum>, period: Option<Period>| Members {
            amount: sum.map(|sum| sum.amount),
            currency: sum.map(|sum| sum.currency),
            from: period.map(|period| period.from),
            to: period.map(|period| period.to),
            ..Members::default()
        };
        match self {
            Self::Invoices(facts) => Members {
                count: Some(facts.count),
                document: facts.document,
                ..of(Some(facts.invoiced), Some(facts.period))
            },
            Self::Standing(facts) => Members {
                grade: Some(facts.grade),
                document: facts.document,
                ..of(Some(facts.arrears), Some(facts.period))
            },
            Self::Approval(facts) => Members {
                reference: Some(facts.reference.clone()),
                document: Some(facts.document),
                ..of(None, Some(facts.period))
            },
            Self::Buyer(facts) => Members {
                document: Some(facts.document),
                reference: facts.reference.clone(),
                due: facts.due,
                leaves: (!facts.leaves.is_empty()).then(|| facts.leaves.clone()),
                ..of(Some(facts.owed), None)
            },
        }
    }
}

fn uint(w: &mut Writer, key: u64, value: Option<u64>) {
    if let Some(value) = value {
        w.uint(key).uint(value);
    }
}

fn text(w: &mut Writer, key: u64, value: Option<&str>) {
    if let Some(value) = value {
        w.uint(key).text(value);
    }
}

fn optional<'a, T>(
    r: &mut Reader<'a>,
    keys: &mut MapKeys,
    key: u64,
    read: impl Fn(&mut Reader<'a>) -> Result<T, CborError>,
) -> Result<Option<T>, CborError> {
    let is_there = keys.optional(r, key)?;
    is_there.then(|| read(r)).transpose()
}

fn needed<T>(member: Option<T>, field: &'static str) -> Result<T, CborError> {
    member.ok_or(CborError::Keys(field))
}

fn read_currency(r: &mut Reader<'_>) -> Result<[u8; 3], CborError> {
    let text = r.text("currency", 3)?;
    let letters = text.as_bytes().try_into();
    letters.map_err(|_| CborError::Limit("currency"))
}

fn read_day(r: &mut Reader<'_>, field: &'static str) -> Result<Day, CborError> {
    Day::new(r.uint(field)?).ok_or(CborError::Limit(field))
}

fn read_grade(r: &mut Reader<'_>) -> Result<TaxGrade, CborError> {
    TaxGrade::from_number(r.uint("grade")?).ok_or(CborError::Limit("grade"))
}

fn read_reference(r: &mut Reader<'_>) -> Result<String, CborError> {
    r.text("reference", REFERENCE_MAX).map(str::to_owned)
}

fn read_leaves(r: &mut Reader<'_>) -> Result<Vec<Hash>, CborError> {
    match r.array("leaves", LEAVES_MAX)? {
        0 => Err(CborError::Limit("leaves")),
        count => (0..count).map(|_| r.hash("leaves")).collect(),
    }
}
