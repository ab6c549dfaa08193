//! What is derived from a picture: smaller copies, and where they are.
//!
//! Everything derived belongs to its original. It lies below [`DerivedKey::prefix`], is found by the original's record,
//! and is removed with it. It does not count against the plan.

use std::fmt;

use super::{File, FileName, MediaType, ObjectKey, Readable, Status};
use crate::{Fault, FileId, UserId};

/// Most pixels of a picture that is decoded. A photo of the largest common phone has 50 million.
pub const PIXELS_MAX: u64 = 100_000_000;
/// Most bytes of a file from which something is derived.
pub const DERIVED_FROM_MAX: u64 = 200 << 20;
/// Originals above this size get a copy for display, in bytes.
pub const DISPLAY_ABOVE: u64 = 2_000_000;
/// Folder of everything derived. Rules of the bucket name it.
const FOLDER: &str = "derived";

/// One of the copies.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Rendition {
    /// A thumbnail whose longest side has 256 pixels.
    Small,
    /// A thumbnail whose longest side has 1,024 pixels.
    Large,
    /// A copy to show instead of a large original.
    Display,
    /// The original without metadata, where its pixels cannot be decoded.
    Clean,
}

impl Rendition {
    /// Every rendition, smallest first.
    pub const ALL: [Self; 4] = [Self::Small, Self::Large, Self::Display, Self::Clean];

    /// Returns the name used in keys, in the table and in answers.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Small => "256",
            Self::Large => "1024",
            Self::Display => "display",
            Self::Clean => "clean",
        }
    }

    /// Parses a name that [`Self::name`] returned.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|rendition| rendition.name() == name)
    }

    /// Returns the longest side in pixels; a smaller picture keeps its size.
    pub const fn side(self) -> u32 {
        match self {
            Self::Small => 256,
            Self::Large => 1_024,
            Self::Display => 2_560,
            Self::Clean => u32::MAX,
        }
    }
}

/// Whether a picture has derivatives.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum DerivativeState {
    /// They will be made.
    Pending,
    /// They are made.
    Ready,
    /// The format is not decoded here. There may be a clean copy.
    Unsupported,
    /// The picture has more pixels, frames or bytes than are decoded.
    TooLarge,
    /// The picture is damaged.
    Failed,
}

impl DerivativeState {
    /// Every state.
    pub const ALL: [Self; 5] = [Self::Pending, Self::Ready, Self::Unsupported, Self::TooLarge, Self::Failed];

    /// Returns the name used in the table and in answers.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Ready => "ready",
            Self::Unsupported => "unsupported",
            Self::TooLarge => "too_large",
            Self::Failed => "failed",
        }
    }

    /// Parses a name that [`Self::name`] returned.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.name() == name)
    }
}

/// One copy of a picture.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DerivedCopy {
    /// Which one it is.
    pub rendition: Rendition,
    /// Its media type.
    pub media: &'static MediaType,
    /// S3's id of its one version.
    pub version: String,
}

impl DerivedCopy {
    /// Returns the name of its rendition.
    pub const fn name(&self) -> &'static str {
        self.rendition.name()
    }
}

/// What was derived from a picture.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Derivatives {
    /// Whether there is something.
    pub state: DerivativeState,
    /// The copies, smallest first.
    pub copies: Vec<DerivedCopy>,
}

impl Derivatives {
    /// Returns a state without copies.
    pub const fn none(state: DerivativeState) -> Self {
        Self { state, copies: Vec::new() }
    }

    /// Returns what is said of a new file of a type: a picture waits, unless nothing is ever derived from its type.
    pub(super) fn of_new(media: &MediaType) -> Option<Self> {
        match Derivation::of(media) {
            Derivation::NotAPicture => None,
            Derivation::Nothing => Some(Self::none(DerivativeState::Unsupported)),
            Derivation::Decode | Derivation::CleanCopy => Some(Self::none(DerivativeState::Pending)),
        }
    }
}

/// How derivatives are made of a type.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Derivation {
    /// It is decoded, and smaller pictures are made.
    Decode,
    /// No decoder is linked for it. Its metadata is blanked in a copy.
    CleanCopy,
    /// A picture of which nothing is made. It may run scripts, and has no pixels.
    Nothing,
    /// It is no picture.
    NotAPicture,
}

impl Derivation {
    /// Returns how derivatives are made of a type.
    pub fn of(media: &MediaType) -> Self {
        match media.name {
            "image/png" | "image/jpeg" | "image/gif" | "image/webp" => Self::Decode,
            "image/heic" | "image/avif" => Self::CleanCopy,
            name if name.starts_with("image/") => Self::Nothing,
            _ => Self::NotAPicture,
        }
    }
}

/// The key of a derived object: `derived/<owner>/<file id>/<rendition>.<extension>`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct DerivedKey {
    text: String,
    owner: UserId,
    file: FileId,
    rendition: Rendition,
}

impl DerivedKey {
    /// Builds the key of a copy.
    pub fn mint(owner: &UserId, file: FileId, rendition: Rendition, media: &MediaType) -> Self {
        let text = format!("{}{}.{}", Self::prefix(owner, file), rendition.name(), media.extensions[0]);
        Self { text, owner: owner.clone(), file, rendition }
    }

    /// Parses a key that [`Self::mint`] built. Returns `None` for any other text.
    pub fn parse(text: &str) -> Option<Self> {
        let mut parts = text.split('/');
        let (folder, owner, file, leaf) = (parts.next()?, parts.next()?, parts.next()?, parts.next()?);
        let (rendition, extension) = leaf.split_once('.')?;
        let media = MediaType::all().iter().find(|media| media.extensions[0] == extension)?;
        let key =
            Self::mint(&UserId::parse_owner(owner)?, FileId::parse(file)?, Rendition::from_name(rendition)?, media);
        (folder == FOLDER && parts.next().is_none() && key.text == text).then_some(key)
    }

    /// Returns with what the keys of everything derived from a file begin. It ends in a slash, so no other file's keys
    /// begin with it.
    pub fn prefix(owner: &UserId, file: FileId) -> String {
        format!("{FOLDER}/{owner}/{file}/")
    }

    /// Returns the key as text, as S3 stores it.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Returns the owner of the original.
    pub fn owner(&self) -> &UserId {
        &self.owner
    }

    /// Returns the id of the original.
    pub fn file(&self) -> FileId {
        self.file
    }
}

impl fmt::Display for DerivedKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// A key that can be read: that of a file, or of something derived from one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ReadKey {
    /// A file's.
    File(ObjectKey),
    /// Of something derived.
    Derived(DerivedKey),
}

impl ReadKey {
    /// Parses a key that a user sent. Returns `None` for another user's key, as for one that does not exist.
    pub fn parse_for(owner: &UserId, text: &str) -> Option<Self> {
        let derived = || DerivedKey::parse(text).filter(|key| key.owner == *owner).map(Self::Derived);
        ObjectKey::parse_for(owner, text).map(Self::File).or_else(derived)
    }

    /// Returns the id of the file whose record decides.
    pub fn file(&self) -> FileId {
        match self {
            Self::File(key) => key.file(),
            Self::Derived(key) => key.file,
        }
    }
}

impl File {
    /// Returns the key of a copy.
    pub fn derived_key(&self, copy: &DerivedCopy) -> DerivedKey {
        DerivedKey::mint(self.owner(), self.id(), copy.rendition, copy.media)
    }

    /// Returns the copies that may be read, which are those of a file that may be read.
    pub fn readable_copies(&self) -> &[DerivedCopy] {
        match (self.status, &self.derivatives) {
            (Status::Ready, Some(derivatives)) => &derivatives.copies,
            _ => &[],
        }
    }

    /// Returns what a ticket for one of the file's keys is signed for.
    ///
    /// # Errors
    /// Those of [`File::readable`], and `NOT_FOUND` if the key is neither the file's nor that of one of its copies.
    pub fn readable_by(&self, key: &ReadKey) -> Result<Readable, Fault> {
        let derived = match key {
            ReadKey::File(key) if *key == self.key => return self.readable(),
            ReadKey::File(_) => return Err(Fault::not_found("File")),
            ReadKey::Derived(key) => key,
        };
        if derived.owner != *self.owner() || derived.file != self.id() {
            return Err(Fault::not_found("File"));
        }
        let original = self.readable()?;
        let copy = self.readable_copies().iter().find(|copy| self.derived_key(copy) == *derived);
        let copy = copy.ok_or_else(|| Fault::not_found("File"))?;
        Ok(Readable {
            key: derived.to_string(),
            name: original.name.of_copy(copy.rendition.name(), copy.media),
            media: copy.media,
            version: copy.version.clone(),
            asked: None,
        })
    }
}

impl FileName {
    /// Returns the name of a copy: `photo.heic` becomes `photo-256.jpg`.
    fn of_copy(&self, rendition: &str, media: &MediaType) -> Self {
        Self::stored(format!("{}-{rendition}.{}", self.stem(), media.extensions[0]))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Code;
    use crate::Timestamp;
    use crate::files::record::tests::pending;
    use crate::files::{Arrival, Measured, Pinned};

    const FILE: &str = "01M7YREWKH7VM7Z3Z2KWSH2FTR";

    fn ann() -> UserId {
        UserId::parse("user_ann1").unwrap()
    }

    fn photo() -> File {
        let media = MediaType::from_name("image/jpeg").unwrap();
        let key = ObjectKey::parse(&format!("user_ann1/images/{FILE}-photo.jpg")).unwrap();
        let file = File { key, media, name: FileName::parse("photo été.jpg").unwrap(), ..pending() };
        let pinned = Pinned { version: "v1".to_owned(), etag: "e".to_owned(), sequencer: String::new() };
        let arrival = Arrival { pinned, size: 9, measured: Measured::default() };
        let mut ready = file.accept(arrival, Timestamp::from_secs(1_001)).file;
        assert_eq!(ready.derivatives, Some(Derivatives::none(DerivativeState::Pending)));
        let copy = DerivedCopy { rendition: Rendition::Small, media, version: "d1".to_owned() };
        ready.derivatives = Some(Derivatives { state: DerivativeState::Ready, copies: vec![copy] });
        ready
    }

    #[test]
    fn only_keys_that_are_built_here_are_parsed() {
        let text = format!("derived/user_ann1/{FILE}/256.jpg");
        let key = DerivedKey::parse(&text).unwrap();
        assert_eq!((key.as_str(), key.owner(), key.file().to_string()), (text.as_str(), &ann(), FILE.to_owned()));
        for bad in [
            format!("derived/user_ann1/{FILE}/256.JPG"),
            format!("derived/user_ann1/{FILE}/256.jpeg"),
            format!("derived/user_ann1/{FILE}/255.jpg"),
            format!("derived/user_ann1/{FILE}/256"),
            format!("derived/user_ann1/{FILE}/../256.jpg"),
            format!("derived/user_ann1/{FILE}/256.jpg/"),
            format!("derived/user_ann1/{}/256.jpg", FILE.to_lowercase()),
            format!("derived/ann1/{FILE}/256.jpg"),
            format!("derive/user_ann1/{FILE}/256.jpg"),
            format!("/derived/user_ann1/{FILE}/256.jpg"),
            "derived/user_ann1".to_owned(),
        ] {
            assert_eq!(DerivedKey::parse(&bad), None, "{bad}");
        }
    }

    #[test]
    fn a_derived_key_is_read_by_the_owner_of_its_original_alone() {
        let text = format!("derived/user_ann12/{FILE}/256.jpg");
        assert!(ReadKey::parse_for(&UserId::parse("user_ann12").unwrap(), &text).is_some());
        assert_eq!(ReadKey::parse_for(&ann(), &text), None);
        let key = ReadKey::Derived(DerivedKey::parse(&text).unwrap());
        assert_eq!(photo().readable_by(&key).unwrap_err().code, Code::NotFound);
    }

    #[test]
    fn a_copy_is_read_by_its_own_version_and_name_while_its_original_is_ready() {
        let (file, text) = (photo(), format!("derived/user_ann1/{FILE}/256.jpg"));
        let key = ReadKey::parse_for(&ann(), &text).unwrap();
        let readable = file.readable_by(&key).unwrap();
        assert_eq!((readable.key.as_str(), readable.version.as_str()), (text.as_str(), "d1"));
        assert_eq!((readable.name.as_str(), readable.media.name), ("photo été-256.jpg", "image/jpeg"));
        let other = ReadKey::parse_for(&ann(), &format!("derived/user_ann1/{FILE}/1024.jpg")).unwrap();
        assert_eq!(file.readable_by(&other).unwrap_err().code, Code::NotFound);
        for (status, code) in [
            (Status::Deleting, Code::NotFound),
            (Status::Deleted, Code::NotFound),
            (Status::Infected, Code::FileInfected),
            (Status::Processing, Code::NotReady),
        ] {
            let file = File { status, ..file.clone() };
            assert_eq!(file.readable_by(&key).unwrap_err().code, code);
            assert!(file.readable_copies().is_empty());
        }
    }

    #[test]
    fn every_type_has_a_way() {
        for media in MediaType::all() {
            let is_picture = media.name.starts_with("image/");
            assert_eq!(Derivation::of(media) != Derivation::NotAPicture, is_picture, "{}", media.name);
            assert_eq!(Derivatives::of_new(media).is_some(), is_picture);
        }
        for state in DerivativeState::ALL {
            assert_eq!(DerivativeState::from_name(state.name()), Some(state));
        }
    }
}
