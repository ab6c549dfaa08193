//! The folder to migrate: one folder for each user, named by the user's id, with files at any depth.

use std::fs::Metadata;
use std::path::{Path, PathBuf};
use std::time::UNIX_EPOCH;

use consigne_core::{Timestamp, UserId};

/// A file of the folder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Source {
    /// Its path below the folder, with slashes; it names the file in the journal.
    pub(super) path: String,
    /// Where it is.
    pub(super) place: PathBuf,
    /// Whose file it becomes, or why it is nobody's.
    pub(super) owner: Result<UserId, &'static str>,
    /// The folders between the owner's and the file, joined by slashes; empty if there are none.
    pub(super) folder: String,
    /// Its name.
    pub(super) name: String,
    /// Size in bytes.
    pub(super) size: u64,
    /// When it was last changed.
    pub(super) changed: Timestamp,
}

/// Reads the folder and everything below it. Returns the files, the one that changed longest ago first, so that lists
/// have them in their old order afterwards.
///
/// # Errors
/// If a folder cannot be read: then files could be missed.
pub(super) fn read(root: &Path) -> Result<Vec<Source>, String> {
    let (mut sources, mut folders) = (Vec::new(), vec![root.to_owned()]);
    while let Some(folder) = folders.pop() {
        let unreadable = |error: std::io::Error| format!("{} cannot be read: {error}", folder.display());
        for entry in std::fs::read_dir(&folder).map_err(unreadable)? {
            let place = entry.map_err(unreadable)?.path();
            // Not that of a link's target: a link could lead out of the folder, or in a circle.
            let metadata = std::fs::symlink_metadata(&place).map_err(unreadable)?;
            if metadata.is_dir() {
                folders.push(place);
            } else {
                sources.push(source(root, place, &metadata));
            }
        }
    }
    sources.sort_by(|a, b| (a.changed, &a.path).cmp(&(b.changed, &b.path)));
    Ok(sources)
}

fn source(root: &Path, place: PathBuf, metadata: &Metadata) -> Source {
    let below = place.strip_prefix(root).unwrap_or(&place);
    let parts: Vec<String> = below.iter().map(|part| part.to_string_lossy().into_owned()).collect();
    let is_text = below.iter().all(|part| part.to_str().is_some());
    let owner = match (parts.as_slice(), metadata.is_file()) {
        (_, false) => Err("it is no regular file; links are not followed"),
        _ if !is_text => Err("its path is not UTF-8"),
        ([owner, _, ..], true) => UserId::parse(owner).ok_or("its first folder is not the id of a user"),
        _ => Err("it is in no user's folder"),
    };
    let since = metadata.modified().ok().and_then(|at| at.duration_since(UNIX_EPOCH).ok()).unwrap_or_default();
    Source {
        path: parts.join("/"),
        owner,
        folder: parts.get(1..parts.len().saturating_sub(1)).unwrap_or_default().join("/"),
        name: parts.last().cloned().unwrap_or_default(),
        size: metadata.len(),
        changed: Timestamp::from_secs(i64::try_from(since.as_secs()).unwrap_or(0)),
        place,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_belong_to_the_user_whose_folder_they_are_in() {
        let root = std::env::temp_dir().join(format!("consigne-folder-{}", std::process::id()));
        let deep = root.join("user_ann/2019/été");
        std::fs::create_dir_all(&deep).unwrap();
        std::fs::create_dir_all(root.join("photos")).unwrap();
        for place in [deep.join("a.png"), root.join("user_ann/b.png"), root.join("photos/c.png"), root.join("d.png")] {
            std::fs::write(place, "x").unwrap();
        }
        #[cfg(unix)]
        std::os::unix::fs::symlink("/etc/passwd", root.join("user_ann/link.txt")).unwrap();
        let mut found = read(&root).unwrap();
        std::fs::remove_dir_all(&root).unwrap();
        found.sort_by(|a, b| a.path.cmp(&b.path));
        let of = |path: &str| found.iter().find(|source| source.path == path).unwrap();
        assert_eq!(of("user_ann/2019/été/a.png").folder, "2019/été");
        assert_eq!(of("user_ann/2019/été/a.png").owner, Ok(UserId::parse("user_ann").unwrap()));
        assert_eq!((&*of("user_ann/b.png").folder, &*of("user_ann/b.png").name), ("", "b.png"));
        assert_eq!(of("photos/c.png").owner, Err("its first folder is not the id of a user"));
        assert_eq!(of("d.png").owner, Err("it is in no user's folder"));
        #[cfg(unix)]
        assert!(of("user_ann/link.txt").owner.as_ref().is_err_and(|why| why.contains("links")));
    }
}
