//! The corpus: files of the tools that people use, and what must be said of each.

use std::path::PathBuf;

use proptest::prelude::*;
use proptest::sample::Index;
use serde::Deserialize;

use super::*;
use crate::files::FileName;

/// An entry of the corpus' manifest.
#[derive(Debug, Deserialize)]
struct Entry {
    file: String,
    declared: String,
    verdict: String,
    found: Option<String>,
    width: Option<u32>,
    height: Option<u32>,
}

impl Entry {
    fn bytes(&self) -> Vec<u8> {
        std::fs::read(folder().join("files").join(&self.file)).unwrap()
    }

    /// Returns the type under which an upload of the file would be checked.
    fn media(&self) -> &'static MediaType {
        MediaType::of_file(&self.declared, &FileName::parse(&self.file).unwrap()).unwrap()
    }
}

fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/corpus")
}

fn corpus() -> Vec<Entry> {
    serde_json::from_slice(&std::fs::read(folder().join("manifest.json")).unwrap()).unwrap()
}

#[test]
fn every_file_of_the_corpus_has_the_verdict_of_the_manifest() {
    let mut wrong = Vec::new();
    for entry in corpus() {
        let bytes = entry.bytes();
        let found = inspect(Sample { bytes: &bytes, size: bytes.len() as u64 }, entry.media());
        let as_expected = match &found {
            Finding::Genuine(Measured { dimensions, .. }) => {
                let expected = entry.width.zip(entry.height).map(|(width, height)| Dimensions { width, height });
                entry.verdict == "ready" && *dimensions == expected
            }
            Finding::Impostor(name) => entry.verdict == "rejected" && entry.found.as_deref() == Some(*name),
        };
        if !as_expected {
            wrong.push(format!("{found:?} instead of {entry:?}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn the_corpus_is_complete_and_small() {
    let entries = corpus();
    let mut named: Vec<_> = entries.iter().map(|entry| entry.file.clone()).collect();
    named.sort();
    named.dedup();
    let files = std::fs::read_dir(folder().join("files")).unwrap().map(|file| file.unwrap());
    let mut sizes = 0;
    let mut present: Vec<_> = files
        .map(|file| {
            sizes += file.metadata().unwrap().len();
            file.file_name().into_string().unwrap()
        })
        .collect();
    present.sort();
    assert_eq!(present, named);
    assert!(sizes < 600_000, "{sizes} bytes");
    for media in MediaType::names() {
        assert!(entries.iter().any(|entry| entry.media().name == media && entry.verdict == "ready"), "{media}");
    }
}

/// What `ffprobe` says of these files, in milliseconds, and nothing of the others.
#[test]
fn films_and_sounds_have_the_length_that_a_player_shows() {
    let known = [
        ("plain.mp4", 400),
        ("hevc.mp4", 400),
        ("playstation.mp4", 200),
        ("sound-only.mp4", 200),
        ("plain.mov", 400),
        ("turned.mov", 400),
        ("index-first.m4v", 400),
        ("mkvmerge.webm", 400),
        ("vp8.webm", 400),
        ("vp9.webm", 400),
        ("phone.3gp", 400),
        ("cover.mp3", 235),
        ("sound.mp3", 235),
        ("untagged.mp3", 235),
        ("broadcast.wav", 200),
        ("extensible.wav", 200),
        ("sound.wav", 200),
        ("sound.m4a", 200),
    ];
    for (file, millis) in known {
        let entry = corpus().into_iter().find(|entry| entry.file == file && entry.verdict == "ready").unwrap();
        let bytes = entry.bytes();
        let found = inspect(Sample { bytes: &bytes, size: bytes.len() as u64 }, entry.media());
        let Finding::Genuine(Measured { duration: Some(duration), .. }) = found else { panic!("{file}: {found:?}") };
        // A film's header may count in other units than its tracks.
        assert!(duration.as_millis().abs_diff(millis) <= 30, "{file}: {duration:?}");
    }
    for entry in corpus().iter().filter(|entry| entry.verdict == "ready" && entry.declared.starts_with("image/")) {
        let bytes = entry.bytes();
        let found = inspect(Sample { bytes: &bytes, size: bytes.len() as u64 }, entry.media());
        assert!(matches!(found, Finding::Genuine(Measured { duration: None, .. })), "{}: {found:?}", entry.file);
    }
}

#[test]
fn a_film_is_measured_by_its_index_wherever_that_is() {
    for (file, declared, sides) in [
        ("plain.mp4", "video/mp4", Some((64, 40))),
        ("plain.mov", "video/quicktime", Some((64, 40))),
        ("turned.mp4", "video/mp4", Some((40, 64))),
        ("begins-with-mdat.mov", "video/quicktime", Some((64, 40))),
        ("sound.m4a", "audio/mp4", None),
        ("index-first.m4v", "video/mp4", None),
    ] {
        let bytes = std::fs::read(folder().join("files").join(file)).unwrap();
        let media = MediaType::from_name(declared).unwrap();
        let whole = Sample { bytes: &bytes, size: bytes.len() as u64 };
        let index = bytes.windows(4).position(|window| window == b"moov").unwrap() - 4;
        // The sample ends in the middle of what is before the index, or before that.
        let start = Sample { bytes: &bytes[..60], size: whole.size };
        let at = index_behind(start, media);
        if file == "index-first.m4v" {
            assert_eq!(at, None);
            continue;
        }
        assert_eq!(at, Some(index as u64), "{file}");
        assert_eq!(index_behind(whole, media), None, "{file}");
        let found = measure_index(&bytes[index..], media);
        assert_eq!(found.dimensions.map(|sides| (sides.width, sides.height)), sides, "{file}");
        assert_eq!(Finding::Genuine(found), inspect(whole, media), "{file}");
    }
    for (bytes, size) in [
        (&b""[..], 0),
        (b"\0\0\0\0mdat", 9_999),
        (b"\0\0\0\x04mdat", 9_999),
        (b"\0\0\0\x01mdat\xff\xff\xff\xff\xff\xff\xff\xff", 9_999),
        (b"\0\0\0\x20mdat", 32),
        (b"\0\0\0\x08free\0\0\0\x08free", 16),
    ] {
        assert_eq!(index_behind(Sample { bytes, size }, MediaType::from_name("video/mp4").unwrap()), None);
    }
}

#[test]
fn what_comes_after_the_sample_is_not_guessed() {
    for (file, part, declared, measured) in [
        // The EXIF that it announces might turn it.
        ("orientation-6.webp", &b"EXIF"[..], "image/webp", false),
        ("orientation-1.webp", b"EXIF", "image/webp", false),
        ("plain.mp4", b"moov", "video/mp4", false),
        ("plain.mov", b"moov", "video/quicktime", false),
        ("vp8.webm", b"\x16\x54\xae\x6b", "video/webm", false),
        ("plain.heic", b"iprp", "image/heic", false),
        ("baseline.jpg", b"\xff\xc0", "image/jpeg", false),
        // The pixels are not needed.
        ("baseline.jpg", b"\xff\xda", "image/jpeg", true),
        ("rgb.png", b"IDAT", "image/png", true),
        ("plain.heic", b"mdat", "image/heic", true),
        ("index-first.m4v", b"mdat", "video/mp4", true),
    ] {
        let bytes = std::fs::read(folder().join("files").join(file)).unwrap();
        let at = bytes.windows(part.len()).position(|window| window == part).unwrap();
        let found = inspect(Sample { bytes: &bytes[..at], size: 5 << 20 }, MediaType::from_name(declared).unwrap());
        let dimensions = measured.then_some(Dimensions { width: 64, height: 40 });
        let Finding::Genuine(found) = found else { panic!("{file}: {found:?}") };
        assert_eq!(found.dimensions, dimensions, "{file} up to {}", part.escape_ascii());
    }
}

#[test]
fn an_archive_is_known_by_its_entries_where_the_sample_ends_before_its_directory() {
    for (file, declared) in [
        ("letter.docx", "application/vnd.openxmlformats-officedocument.wordprocessingml.document"),
        ("table.xlsx", "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"),
        ("streamed.xlsx", "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"),
        ("slides.pptx", "application/vnd.openxmlformats-officedocument.presentationml.presentation"),
        ("plain.zip", "application/zip"),
    ] {
        let bytes = std::fs::read(folder().join("files").join(file)).unwrap();
        let directory = bytes.windows(4).position(|window| window == b"PK\x01\x02").unwrap();
        let (start, media) = (&bytes[..directory], MediaType::from_name(declared).unwrap());
        assert_eq!(
            inspect(Sample { bytes: start, size: 5 << 20 }, media),
            Finding::Genuine(Measured::default()),
            "{file}"
        );
        // A whole file without its directory is cut off.
        let whole = inspect(Sample { bytes: start, size: directory as u64 }, media);
        let named = if file == "plain.zip" { DAMAGED } else { "application/zip" };
        assert_eq!(whole, Finding::Impostor(named), "{file}");
    }
}

#[test]
fn a_tag_that_is_larger_than_the_sample_makes_an_mp3() {
    let sound = MediaType::from_name("audio/mpeg").unwrap();
    let mut tag = b"ID3\x04\0\0\0\x7f\x7f\x7f".to_vec();
    tag.resize(4_096, 0xff);
    assert_eq!(inspect(Sample { bytes: &tag, size: 5 << 20 }, sound), Finding::Genuine(Measured::default()));
    assert_eq!(inspect(Sample { bytes: &tag, size: 4_096 }, sound), Finding::Impostor(DAMAGED));
    // The first frame alone, and noise behind it.
    let bytes = std::fs::read(folder().join("files/untagged.mp3")).unwrap();
    let mut noise = bytes[..4].to_vec();
    noise.resize(2_000, 0);
    assert!(matches!(inspect(Sample { bytes: &noise, size: 2_000 }, sound), Finding::Impostor(_)));
}

/// Inspects bytes under every type. Fails if a stored side would be beyond what any format allows.
fn inspect_all(bytes: &[u8], size: u64) -> Result<(), TestCaseError> {
    for name in MediaType::names() {
        let media = MediaType::from_name(name).ok_or_else(|| TestCaseError::fail(name))?;
        let Finding::Genuine(found) = inspect(Sample { bytes, size }, media) else { continue };
        prop_assert!(found.duration.is_none_or(|time| time <= Duration::from_hours(24 * 366)), "{name} {found:?}");
        if let Some(Dimensions { width, height }) = found.dimensions {
            let largest = match name {
                "image/png" => i32::MAX.unsigned_abs(),
                "image/webp" => 16_384,
                "image/avif" | "image/heic" | "video/webm" => 65_536,
                _ => 65_535,
            };
            prop_assert!((1..=largest).contains(&width) && (1..=largest).contains(&height), "{name} {width} {height}");
        }
    }
    Ok(())
}

proptest! {
    #[test]
    fn random_bytes_are_inspected_without_a_panic(bytes in proptest::collection::vec(any::<u8>(), 0..2000), more in 0..9_u64) {
        inspect_all(&bytes, bytes.len() as u64 + more)?;
    }

    #[test]
    fn a_mutated_file_is_inspected_without_a_panic(
        entry in any::<Index>(),
        changes in proptest::collection::vec((any::<Index>(), any::<u8>()), 0..20),
        words in proptest::collection::vec((any::<Index>(), any::<u32>()), 0..4),
        cut in proptest::option::of(any::<Index>()),
    ) {
        let corpus = corpus();
        let mut bytes = entry.get(&corpus).bytes();
        // Headers are where mistakes hurt.
        let headers = bytes.len().min(600);
        for (at, byte) in changes {
            bytes[at.index(headers)] = byte;
        }
        for (at, word) in words {
            let at = at.index(headers.saturating_sub(4).max(1));
            bytes[at..at + 4].copy_from_slice(&word.to_be_bytes());
        }
        if let Some(cut) = cut {
            bytes.truncate(cut.index(bytes.len()));
        }
        inspect_all(&bytes, bytes.len() as u64)?;
    }

    #[test]
    fn a_text_is_never_an_image_or_a_video(start in any::<Index>(), text in "[ -~\n\t\u{a0}-\u{2fff}]{0,400}") {
        let magic: [&[u8]; 12] = [
            b"", b"\x89PNG", b"\x89PNG\r\n", b"\xff\xd8\xff", b"\xff\xd8\xff\xe0", b"GIF89a", b"GIF87a", b"RIFF", b"RIFFabcdWEBPVP8 ",
            b"abcdftyp", b"abcdmoov", b"%PDF",
        ];
        let bytes = [*start.get(&magic), text.as_bytes()].concat();
        for name in MediaType::names()
            .filter(|name| !name.starts_with("text/") && !matches!(*name, "image/svg+xml" | "application/json"))
        {
            let media = MediaType::from_name(name).ok_or_else(|| TestCaseError::fail(name))?;
            let found = inspect(Sample { bytes: &bytes, size: bytes.len() as u64 }, media);
            prop_assert!(matches!(found, Finding::Impostor(_)), "{name}");
        }
    }
}
