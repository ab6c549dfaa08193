//! The malware scan of a file: what the scanner says, what the record keeps of it, and the steps that follow.
//!
//! Where scanning is on, a file is ready once two things are known, in either order: its bytes have the declared type, and
//! the scanner found nothing in the same version. A verdict about a version that was not announced yet waits in the record.

use std::collections::BTreeMap;
use std::time::Duration;

use super::{Arrival, File, LedgerState, ObjectKey, Status, Transition};
use crate::Timestamp;
use crate::events::{EventData, FileFacts, FileInfected, FileReady};

/// How long a file waits for its verdict.
pub const VERDICT_WITHIN: Duration = Duration::from_mins(30);
/// Most verdicts that wait in a record for the announcement of their versions. A grant makes one version.
const EARLY_MAX: usize = 4;
/// Longest name of a threat that is kept, in characters.
const THREAT_MAX: usize = 100;

/// What a scan has found. Source: Amazon GuardDuty user guide, "Monitoring S3 object scans".
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ScanResult {
    /// No malware.
    Clean,
    /// Malware.
    Threats,
    /// The object cannot be scanned, for example because it is encrypted with a password.
    Unsupported,
    /// The scanner failed.
    Failed,
    /// The scanner may not read the object.
    AccessDenied,
}

impl ScanResult {
    const ALL: [Self; 5] = [Self::Clean, Self::Threats, Self::Unsupported, Self::Failed, Self::AccessDenied];

    /// Returns the name that GuardDuty uses.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Clean => "NO_THREATS_FOUND",
            Self::Threats => "THREATS_FOUND",
            Self::Unsupported => "UNSUPPORTED",
            Self::Failed => "FAILED",
            Self::AccessDenied => "ACCESS_DENIED",
        }
    }

    /// Parses a name of GuardDuty.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|result| result.name() == name)
    }

    /// Returns why a file counts as unscanned, if the scan found out nothing.
    pub const fn unscanned(self) -> Option<Unscanned> {
        match self {
            Self::Clean | Self::Threats => None,
            Self::Unsupported => Some(Unscanned::Unsupported),
            Self::Failed => Some(Unscanned::Failed),
            Self::AccessDenied => Some(Unscanned::AccessDenied),
        }
    }
}

/// What the scanner says about one version of an object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verdict {
    /// What it has found.
    pub result: ScanResult,
    /// Name of the malware, for a verdict that names it.
    pub threat: Option<String>,
}

impl Verdict {
    /// Creates a verdict. The name of a threat comes from outside, so control characters are removed and it is cut.
    pub fn new(result: ScanResult, threat: Option<&str>) -> Self {
        let name = |text: &str| text.chars().filter(|c| !c.is_control()).take(THREAT_MAX).collect::<String>();
        let threat = threat.filter(|_| result == ScanResult::Threats).map(name).filter(|name| !name.is_empty());
        Self { result, threat }
    }
}

/// Why a file was not scanned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unscanned {
    /// The scanner does not support it.
    Unsupported,
    /// The scanner failed.
    Failed,
    /// The scanner may not read it.
    AccessDenied,
    /// No verdict came within [`VERDICT_WITHIN`].
    NoVerdict,
}

impl Unscanned {
    const ALL: [Self; 4] = [Self::Unsupported, Self::Failed, Self::AccessDenied, Self::NoVerdict];

    /// Returns the name used in the table and in logs.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Unsupported => "unsupported",
            Self::Failed => "failed",
            Self::AccessDenied => "access_denied",
            Self::NoVerdict => "no_verdict",
        }
    }

    /// Parses a name that [`Self::name`] returned.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|why| why.name() == name)
    }
}

/// How far the scan of a file's version has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ScanState {
    /// The verdict has not come.
    Waiting,
    /// Nothing was found.
    Clean,
    /// Malware was found.
    Infected,
    /// It could not be scanned, and cannot be read.
    Held(Unscanned),
    /// It could not be scanned, and may be read.
    Released(Unscanned),
}

impl ScanState {
    /// Names that [`Self::name`] returns.
    pub const NAMES: [&'static str; 5] = ["waiting", "clean", "infected", "held", "unscanned"];

    /// Returns the name used in the table and in answers.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Waiting => "waiting",
            Self::Clean => "clean",
            Self::Infected => "infected",
            Self::Held(_) => "held",
            Self::Released(_) => "unscanned",
        }
    }

    /// Returns why the file was not scanned.
    pub const fn why(self) -> Option<Unscanned> {
        match self {
            Self::Held(why) | Self::Released(why) => Some(why),
            Self::Waiting | Self::Clean | Self::Infected => None,
        }
    }

    /// Parses what [`Self::name`] and [`Self::why`] returned.
    pub fn parse(name: &str, why: Option<Unscanned>) -> Option<Self> {
        match (name, why) {
            ("waiting", _) => Some(Self::Waiting),
            ("clean", _) => Some(Self::Clean),
            ("infected", _) => Some(Self::Infected),
            ("held", Some(why)) => Some(Self::Held(why)),
            ("unscanned", Some(why)) => Some(Self::Released(why)),
            _ => None,
        }
    }
}

/// What a record keeps of the malware scan. It is empty where scanning is off.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Scan {
    /// How far the scan of the pinned version has come.
    pub state: Option<ScanState>,
    /// Verdicts about versions that were not announced yet, by version. Once a version is pinned, only threats stay.
    pub early: BTreeMap<String, Verdict>,
}

impl Scan {
    /// Keeps a verdict about a version that was not announced yet. Returns whether anything changed.
    fn keep(&mut self, version: &str, verdict: &Verdict) -> bool {
        let is_threat = |verdict: &Verdict| verdict.result == ScanResult::Threats;
        // Malware outweighs all else, and a scan that failed says nothing against one that did not.
        let weight = |verdict: &Verdict| (is_threat(verdict), verdict.result == ScanResult::Clean);
        if self.early.get(version).is_some_and(|known| weight(known) >= weight(verdict)) {
            return false;
        }
        if self.early.len() >= EARLY_MAX && !self.early.contains_key(version) {
            // Threats are kept, so that no flood of versions makes a record forget one.
            let other = self.early.iter().find(|(_, known)| !is_threat(known)).map(|(version, _)| version.clone());
            let Some(other) = other.filter(|_| is_threat(verdict)) else { return false };
            self.early.remove(&other);
        }
        self.early.insert(version.to_owned(), verdict.clone());
        true
    }

    /// Returns whether malware was found in a version of the object.
    fn is_suspect(&self) -> bool {
        self.early.values().any(|verdict| verdict.result == ScanResult::Threats)
    }
}

/// What happens to a file that needs a scan.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ScanPolicy {
    /// It is ready without a scan.
    Off,
    /// It is ready once it was found clean. A file that could not be scanned is held.
    Hold,
    /// It is ready once it was found clean. A file that could not be scanned is released and marked.
    Release,
}

/// Which files are scanned, and what happens to those that could not be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Scanning {
    prefixes: Vec<String>,
    unscanned: ScanPolicy,
}

impl Scanning {
    /// Parses prefixes of object keys, separated by commas; none means that nothing is scanned. `unscanned` is `held` or
    /// `released`.
    pub fn parse(prefixes: &str, unscanned: &str) -> Option<Self> {
        let unscanned = match unscanned {
            "held" => ScanPolicy::Hold,
            "released" => ScanPolicy::Release,
            _ => return None,
        };
        let prefixes = prefixes.split(',').map(str::trim).filter(|prefix| !prefix.is_empty());
        Some(Self { prefixes: prefixes.map(str::to_owned).collect(), unscanned })
    }

    /// Returns what happens to the file with a key.
    pub fn of(&self, key: &ObjectKey) -> ScanPolicy {
        let is_scanned = self.prefixes.iter().any(|prefix| key.as_str().starts_with(prefix));
        if is_scanned { self.unscanned } else { ScanPolicy::Off }
    }
}

impl File {
    /// Takes in the checked upload of a pending file: it becomes ready, or waits for its verdict, or the verdict that came
    /// before decides.
    pub fn arrive(&self, arrival: Arrival, policy: ScanPolicy, now: Timestamp) -> Transition {
        let verdict = self.scan.early.get(&arrival.pinned.version).cloned();
        let accepted = self.accept(arrival, now);
        let mut file = accepted.file.clone();
        file.scan.early.retain(|_, verdict| verdict.result == ScanResult::Threats);
        match (policy, verdict) {
            (_, Some(Verdict { result: ScanResult::Threats, threat })) => self.infected(file, threat, now),
            (ScanPolicy::Off, _) => accepted,
            (_, Some(verdict)) => match verdict.result.unscanned() {
                Some(why) => self.unscanned(file, why, policy, now),
                None => self.released(file, ScanState::Clean, now),
            },
            (_, None) => self.waiting(file, ScanState::Waiting, now),
        }
    }

    /// Returns the step that follows from a verdict about a version, or `None` if it changes nothing: it came before,
    /// the file has ended, or another version is pinned.
    pub fn judged(&self, version: &str, verdict: &Verdict, policy: ScanPolicy, now: Timestamp) -> Option<Transition> {
        if self.status == Status::Pending {
            let mut file = self.clone();
            return file.scan.keep(version, verdict).then(|| self.becomes(file, now, |_| None));
        }
        let is_kept = matches!(self.status, Status::Processing | Status::Ready);
        let is_pinned = self.pinned.as_ref().is_some_and(|pinned| pinned.version == version);
        if !is_kept || !is_pinned {
            return None;
        }
        let file = self.clone();
        match (verdict.result, self.status, self.scan.state) {
            (ScanResult::Threats, ..) => Some(self.infected(file, verdict.threat.clone(), now)),
            (ScanResult::Clean, Status::Processing, _) => Some(self.released(file, ScanState::Clean, now)),
            // It may be read already, so nothing is announced.
            (ScanResult::Clean, _, Some(ScanState::Released(_))) => {
                let scan = Scan { state: Some(ScanState::Clean), ..file.scan.clone() };
                Some(self.becomes(Self { scan, ..file }, now, |_| None))
            }
            (result, _, Some(ScanState::Waiting)) => {
                result.unscanned().map(|why| self.unscanned(file, why, policy, now))
            }
            _ => None,
        }
    }

    /// Returns the step of a file whose verdict did not come in time, or `None` if it does not wait or has time left.
    pub fn unheard(&self, policy: ScanPolicy, now: Timestamp) -> Option<Transition> {
        let is_due = self.scan_due_at().is_some_and(|due| due <= now);
        is_due.then(|| self.unscanned(self.clone(), Unscanned::NoVerdict, policy, now))
    }

    /// Returns whether the versions of an infected file have yet to be removed.
    pub fn has_infected_versions(&self) -> bool {
        self.status == Status::Infected && self.pinned.is_some()
    }

    /// Returns the step that records that no version of an infected file is left.
    pub fn cleared(&self, now: Timestamp) -> Transition {
        self.becomes(Self { pinned: None, ..self.clone() }, now, |_| None)
    }

    /// Returns when a file that waits for its verdict is due.
    pub(super) fn scan_due_at(&self) -> Option<Timestamp> {
        let waits = self.status == Status::Processing && self.scan.state == Some(ScanState::Waiting);
        waits.then(|| self.changed_at.plus(VERDICT_WITHIN))
    }

    /// Ends a file that contains malware and releases its bytes. The caller must remove every version of its object.
    fn infected(&self, mut file: Self, threat: Option<String>, now: Timestamp) -> Transition {
        file.status = Status::Infected;
        file.ledger_state = LedgerState::Nothing;
        file.scan.state = Some(ScanState::Infected);
        file.rejected_reason = Some(match &threat {
            Some(threat) => format!("contains malware: {threat}"),
            None => "contains malware".to_owned(),
        });
        self.becomes(file, now, |file| Some(EventData::FileInfected(FileInfected { file, threat })))
    }

    /// Makes a file ready. Its bytes count as stored from now on.
    fn released(&self, mut file: Self, state: ScanState, now: Timestamp) -> Transition {
        file.status = Status::Ready;
        file.ledger_state = LedgerState::Kept;
        file.scan.state = Some(state);
        self.becomes(file, now, |file: FileFacts| Some(EventData::FileReady(FileReady { file })))
    }

    /// Keeps a file from being read. Its bytes stay reserved, so that lists and counts of ready files leave it out.
    fn waiting(&self, mut file: Self, state: ScanState, now: Timestamp) -> Transition {
        file.status = Status::Processing;
        file.ledger_state = LedgerState::Reserved;
        file.scan.state = Some(state);
        self.becomes(file, now, |_| None)
    }

    /// Holds or releases a file that could not be scanned. It is always held if another version of it was malware.
    fn unscanned(&self, file: Self, why: Unscanned, policy: ScanPolicy, now: Timestamp) -> Transition {
        if policy == ScanPolicy::Hold || file.scan.is_suspect() {
            self.waiting(file, ScanState::Held(why), now)
        } else {
            self.released(file, ScanState::Released(why), now)
        }
    }
}

#[cfg(test)]
#[path = "scan_tests.rs"]
mod tests;
