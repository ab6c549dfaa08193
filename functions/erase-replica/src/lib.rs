//! Removes a version from the replica bucket after it was removed from the bucket.
//!
//! S3 replicates new objects, but never the removal of a version. It publishes an event for every removal on EventBridge,
//! so this function gets one for each of them. A replica has the key and the version id of its original.
//!
//! S3 replicates in its own time. If the copy is there, it is complete, and its removal is final, because the original
//! is gone. If it is not there, it was never made, was removed already, or is on its way: S3 may have begun to read
//! the original before that was removed. So the function looks again every 15 minutes, for two hours.

use std::time::Duration;

use consigne_core::Fault;
use consigne_core::ports::{ListVersions, RemoveVersion, SendLater};
use consigne_runtime::queue::Message;
use consigne_runtime::{Adapters, BatchFunction, function, needs, settings};
use serde::{Deserialize, Serialize};

/// Time between two looks for the same copy.
pub const BETWEEN_LOOKS: Duration = Duration::from_mins(15);
/// Looks for a copy that is not there: the first one, and those of the next two hours.
pub const LOOKS: u32 = 9;

/// A message: what S3 says, or what this function sends to itself.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum Notice {
    Again(Look),
    Deleted { detail: Detail },
}

/// A version that was removed from the bucket, and how often its copy was looked for in vain.
#[derive(Debug, Deserialize, Serialize)]
struct Look {
    key: String,
    version: String,
    looks: u32,
}

/// The detail of S3's event "Object Deleted". Its key is plain.
/// Source: Amazon S3 user guide, "Event message structure" of EventBridge.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "kebab-case")]
struct Detail {
    object: Object,
    deletion_type: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "kebab-case")]
struct Object {
    key: String,
    /// Absent in a bucket without versions, of which S3 replicates nothing.
    version_id: Option<String>,
}

impl Notice {
    /// Returns the look that a message asks for. Returns `None` for a deletion that has removed no version.
    fn look(self) -> Option<Look> {
        match self {
            Self::Again(look) => Some(look),
            // A delete marker only hides an object; its bytes remain, so their copy may remain too.
            Self::Deleted { detail } if detail.deletion_type.as_deref() == Some("Delete Marker Created") => None,
            Self::Deleted { detail: Detail { object, .. } } => {
                Some(Look { key: object.key, version: object.version_id?, looks: 0 })
            }
        }
    }
}

needs! {
    /// The ports this function uses. Each stands for one IAM action.
    pub trait Needs: Adapters<Bucket: ListVersions + RemoveVersion, Queue: SendLater>
}

function! {
    /// The bucket to which S3 replicates.
    replica: Option<A::Bucket> = replica(),
    /// The queue that this function reads.
    later: A::Queue = queue(&settings::REPLICA_QUEUE_URL),
}

impl<A: Needs> BatchFunction for Function<A> {
    type Record = Message;

    /// Removes one version from the replica, or looks for it again later.
    ///
    /// # Errors
    /// If the message is malformed, or if the replica or the queue does not answer. The message is then delivered again. If
    /// it keeps failing, it goes to the dead-letter queue.
    async fn handle(&self, message: &Message) -> Result<(), Fault> {
        let replica = self.replica.as_ref().ok_or_else(|| Fault::internal("REPLICA_BUCKET is not set"))?;
        let notice: Notice = serde_json::from_str(&message.body).map_err(Fault::internal)?;
        let Some(look) = notice.look() else { return Ok(()) };
        message.log.field("replica.look", look.looks);
        // Listed instead of read: so this function needs no permission to read what people have stored.
        if replica.list_versions(&look.key).await?.contains(&look.version) {
            replica.remove_version(&look.key, &look.version).await?;
            message.log.count("ReplicasErased");
            return Ok(());
        }
        let next = Look { looks: look.looks + 1, ..look };
        if next.looks == LOOKS {
            message.log.field("replica.found", false);
            return Ok(());
        }
        let body = serde_json::to_string(&next).map_err(Fault::internal)?;
        self.later.send_later(&body, BETWEEN_LOOKS).await
    }
}
