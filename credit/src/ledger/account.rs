//! Accounts: a closed list of classes, and for most of them one account for each loan.

use std::fmt;
use std::str::FromStr;

/// Longest id of a loan in characters.
pub const LOAN_ID_MAX: usize = 64;

/// A side of the ledger.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Side {
    /// What assets and expenses grow by.
    Debit,
    /// What liabilities and income grow by.
    Credit,
}

impl Side {
    /// Its word in rows.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Debit => "debit",
            Self::Credit => "credit",
        }
    }

    /// The side of a word.
    #[must_use]
    pub fn of_word(word: &str) -> Option<Self> {
        [Self::Debit, Self::Credit]
            .into_iter()
            .find(|side| side.word() == word)
    }

    /// The other side.
    #[must_use]
    pub const fn other(self) -> Self {
        match self {
            Self::Debit => Self::Credit,
            Self::Credit => Self::Debit,
        }
    }
}

/// Where a class stands in the bank's statements.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Group {
    /// What the bank has or is owed.
    Asset,
    /// What the bank owes.
    Liability,
    /// What it earned.
    Income,
    /// What it cost.
    Expense,
    /// Kept in mind beside the statements; balances in itself.
    Memo,
}

/// Whose accounts a class has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    /// One account for each loan.
    Loan,
    /// One account for the whole book.
    Book,
    /// One for each loan and one for what belongs to none.
    Either,
}

/// What kind of account. The list is closed; [`Class::word`] of each is part of what is hashed and
/// never changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Class {
    /// Cash at the bank port. The money lent comes from here, so its balance may be a credit.
    Cash,
    /// Principal lent and not yet repaid.
    Principal,
    /// Interest accrued and not yet paid.
    InterestReceivable,
    /// Fees charged and not yet paid.
    FeesReceivable,
    /// Penalties charged and not yet paid.
    PenaltyReceivable,
    /// What a borrower has paid too much.
    BorrowerCredit,
    /// Interest of a doubtful loan: owed, but not counted as earned before it is paid.
    SuspendedInterest,
    /// Set aside for losses; stands against the receivables.
    LossAllowance,
    /// Interest earned.
    InterestIncome,
    /// Fees earned.
    FeeIncome,
    /// Penalties earned.
    PenaltyIncome,
    /// Paid on loans after they were written off.
    RecoveryIncome,
    /// Cost of setting aside.
    ProvisionExpense,
    /// Written off beyond what was set aside.
    WriteOffExpense,
    /// Memo: what is still owed on loans that were written off.
    WrittenOffClaim,
    /// Memo: the other side of [`Class::WrittenOffClaim`].
    WrittenOffContra,
}

impl Class {
    /// Every class, in the order of statements.
    pub const ALL: [Self; 16] = [
        Self::Cash,
        Self::Principal,
        Self::InterestReceivable,
        Self::FeesReceivable,
        Self::PenaltyReceivable,
        Self::BorrowerCredit,
        Self::SuspendedInterest,
        Self::LossAllowance,
        Self::InterestIncome,
        Self::FeeIncome,
        Self::PenaltyIncome,
        Self::RecoveryIncome,
        Self::ProvisionExpense,
        Self::WriteOffExpense,
        Self::WrittenOffClaim,
        Self::WrittenOffContra,
    ];

    /// Its word in rows and in what is hashed.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Cash => "cash",
            Self::Principal => "principal",
            Self::InterestReceivable => "interest-receivable",
            Self::FeesReceivable => "fees-receivable",
            Self::PenaltyReceivable => "penalty-receivable",
            Self::BorrowerCredit => "borrower-credit",
            Self::SuspendedInterest => "suspended-interest",
            Self::LossAllowance => "loss-allowance",
            Self::InterestIncome => "interest-income",
            Self::FeeIncome => "fee-income",
            Self::PenaltyIncome => "penalty-income",
            Self::RecoveryIncome => "recovery-income",
            Self::ProvisionExpense => "provision-expense",
            Self::WriteOffExpense => "write-off-expense",
            Self::WrittenOffClaim => "written-off-claim",
            Self::WrittenOffContra => "written-off-contra",
        }
    }

    /// The class of a word.
    #[must_use]
    pub fn of_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|class| class.word() == word)
    }

    /// Where it stands in the bank's statements.
    #[must_use]
    pub const fn group(self) -> Group {
        match self {
            Self::Cash
            | Self::Principal
            | Self::InterestReceivable
            | Self::FeesReceivable
            | Self::PenaltyReceivable
            | Self::SuspendedInterest
            | Self::LossAllowance => Group::Asset,
            Self::BorrowerCredit => Group::Liability,
            Self::InterestIncome | Self::FeeIncome | Self::PenaltyIncome | Self::RecoveryIncome => {
                Group::Income
            }
            Self::ProvisionExpense | Self::WriteOffExpense => Group::Expense,
            Self::WrittenOffClaim | Self::WrittenOffContra => Group::Memo,
        }
    }

    /// The side that its balance stands on when all is well. Suspended interest and the loss
    /// allowance stand against other assets, so theirs is the credit side.
    #[must_use]
    pub const fn normal_side(self) -> Side {
        match self {
            Self::SuspendedInterest | Self::LossAllowance | Self::WrittenOffContra => Side::Credit,
            _ => match self.group() {
                Group::Asset | Group::Expense | Group::Memo => Side::Debit,
                Group::Liability | Group::Income => Side::Credit,
            },
        }
    }

    /// Whose accounts it has.
    #[must_use]
    pub const fn scope(self) -> Scope {
        match self {
            Self::Cash => Scope::Book,
            Self::LossAllowance
            | Self::InterestIncome
            | Self::FeeIncome
            | Self::PenaltyIncome
            | Self::RecoveryIncome
            | Self::ProvisionExpense
            | Self::WriteOffExpense => Scope::Either,
            _ => Scope::Loan,
        }
    }
}

/// An account that cannot be.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AccountError {
    /// Not a name of a loan.
    #[error("a loan id has 1 to {LOAN_ID_MAX} of A-Z a-z 0-9 - _ .")]
    LoanId,
    /// A class of loans without a loan.
    #[error("account.loan: an account of {0} belongs to a loan")]
    NoLoan(&'static str),
    /// A class of the book with a loan.
    #[error("account.loan: an account of {0} belongs to no loan")]
    Loan(&'static str),
}

/// The id of a loan: 1 to 64 of `A-Z a-z 0-9 - _ .`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LoanId(String);

impl LoanId {
    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for LoanId {
    type Err = AccountError;
    fn from_str(text: &str) -> Result<Self, AccountError> {
        let right = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
        let fits = (1..=LOAN_ID_MAX).contains(&text.len()) && text.bytes().all(right);
        if fits {
            Ok(Self(text.to_owned()))
        } else {
            Err(AccountError::LoanId)
        }
    }
}

impl fmt::Display for LoanId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// An account: a class, and the loan that it is of.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Account {
    class: Class,
    loan: Option<LoanId>,
}

impl Account {
    /// An account.
    ///
    /// # Errors
    /// [`AccountError::NoLoan`], [`AccountError::Loan`]: the class and the loan do not go together.
    pub fn new(class: Class, loan: Option<LoanId>) -> Result<Self, AccountError> {
        match (class.scope(), &loan) {
            (Scope::Loan, None) => Err(AccountError::NoLoan(class.word())),
            (Scope::Book, Some(_)) => Err(AccountError::Loan(class.word())),
            _ => Ok(Self { class, loan }),
        }
    }

    /// The account of this class that an entry of a loan uses: the loan's own, or the book's where
    /// loans have none.
    #[must_use]
    pub fn of(class: Class, loan: &LoanId) -> Self {
        let loan = (class.scope() != Scope::Book).then(|| loan.clone());
        Self { class, loan }
    }

    /// Cash at the bank port.
    #[must_use]
    pub const fn cash() -> Self {
        Self {
            class: Class::Cash,
            loan: None,
        }
    }

    /// Its class.
    #[must_use]
    pub const fn class(&self) -> Class {
        self.class
    }

    /// The loan that it is of.
    #[must_use]
    pub const fn loan(&self) -> Option<&LoanId> {
        self.loan.as_ref()
    }
}

impl fmt::Display for Account {
    /// `principal of L-1`, `cash`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.loan {
            Some(loan) => write!(f, "{} of {loan}", self.class.word()),
            None => f.write_str(self.class.word()),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn words_name_one_class_each() {
        let words: BTreeSet<_> = Class::ALL.into_iter().map(Class::word).collect();
        assert_eq!(words.len(), Class::ALL.len());
        for class in Class::ALL {
            assert_eq!(Class::of_word(class.word()), Some(class));
        }
        assert_eq!(Class::of_word("gold"), None);
        assert_eq!(Side::of_word("credit"), Some(Side::Credit));
        assert_eq!(Side::of_word("Credit"), None);
    }

    #[test]
    fn account_belongs_to_a_loan_where_its_class_does() {
        let loan: LoanId = "L-1".parse().unwrap();
        assert_eq!(
            Account::new(Class::Principal, None),
            Err(AccountError::NoLoan("principal"))
        );
        assert_eq!(
            Account::new(Class::Cash, Some(loan.clone())),
            Err(AccountError::Loan("cash"))
        );
        for class in Class::ALL {
            let account = Account::of(class, &loan);
            let again = Account::new(class, account.loan().cloned());
            assert_eq!(again, Ok(account));
        }
        assert_eq!(Account::of(Class::Cash, &loan), Account::cash());
        assert!(Account::new(Class::LossAllowance, None).is_ok());
    }

    #[test]
    fn sides_are_those_of_a_bank() {
        assert_eq!(Class::Principal.normal_side(), Side::Debit);
        assert_eq!(Class::LossAllowance.normal_side(), Side::Credit);
        assert_eq!(Class::BorrowerCredit.normal_side(), Side::Credit);
        assert_eq!(Class::ProvisionExpense.normal_side(), Side::Debit);
        assert_eq!(Class::WrittenOffClaim.normal_side(), Side::Debit);
        assert_eq!(Class::WrittenOffContra.normal_side(), Side::Credit);
    }

    #[test]
    fn loan_ids_are_short_and_plain() {
        for text in ["", "a b", "a/b", "茶", &"x".repeat(65)] {
            assert_eq!(text.parse::<LoanId>(), Err(AccountError::LoanId), "{text}");
        }
        assert!("x".repeat(64).parse::<LoanId>().is_ok());
    }
}
