//! The id of a job. It contains the owner, so a generator's signed message can only reach items of one tenant.

use std::fmt;

use serde::{Serialize, Serializer};

use crate::{FileId, Timestamp, UserId};

/// Id of a generation job: `job_`, 26 characters that sort by time, and the owner's id without its prefix.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct JobId {
    owner: UserId,
    /// A ULID, like that of a file.
    tail: FileId,
}

impl JobId {
    /// Creates a random id that sorts by `now` among the owner's ids.
    pub fn mint(owner: &UserId, now: Timestamp) -> Self {
        Self { owner: owner.clone(), tail: FileId::mint(now) }
    }

    /// Parses an id, which has only one spelling.
    pub fn parse(text: &str) -> Option<Self> {
        let (tail, owner) = text.strip_prefix("job_")?.split_at_checked(26)?;
        Some(Self { owner: UserId::parse(&format!("user_{owner}"))?, tail: FileId::parse(tail)? })
    }

    /// Parses an id that a user sent. Returns `None` for another user's job, as for one that does not exist.
    pub fn parse_for(owner: &UserId, text: &str) -> Option<Self> {
        Self::parse(text).filter(|id| id.owner == *owner)
    }

    /// Returns the job's owner.
    pub fn owner(&self) -> &UserId {
        &self.owner
    }

    /// Returns the part without the owner. It sorts by time.
    pub fn tail(&self) -> FileId {
        self.tail
    }

    /// Builds an id from its parts.
    pub fn of(owner: UserId, tail: FileId) -> Self {
        Self { owner, tail }
    }
}

impl fmt::Display for JobId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let owner = self.owner.as_str().strip_prefix("user_").unwrap_or_default();
        write!(f, "job_{}{owner}", self.tail)
    }
}

impl Serialize for JobId {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

read_from_json_string!(JobId, crate::json_text::opaque());

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_reads_back_and_names_its_owner() {
        let (ann1, ann12) = (UserId::parse("user_ann1").unwrap(), UserId::parse("user_ann12").unwrap());
        let id = JobId::mint(&ann1, Timestamp::from_secs(1_795_257_000));
        assert_eq!(JobId::parse(&id.to_string()), Some(id.clone()));
        assert_eq!((id.owner(), JobId::parse_for(&ann12, &id.to_string())), (&ann1, None));
        let theirs = JobId::of(ann12.clone(), id.tail());
        assert_ne!(theirs.to_string(), id.to_string());
        assert_eq!(JobId::parse_for(&ann1, &theirs.to_string()), None);
        let text = id.to_string();
        for bad in ["", "job_", &text[4..], &text[..30], &format!("{text}-"), &text.to_lowercase(), &format!(" {text}")]
        {
            assert_eq!(JobId::parse(bad), None, "{bad}");
        }
    }
}
