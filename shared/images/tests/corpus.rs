//! The decoders on the corpus of uploads: files of the tools that people use, and mutations of them.

// A test may panic, because that is how it fails.
#![allow(clippy::unwrap_used)]

use std::path::PathBuf;

use consigne_core::files::{Dimensions, Finding, MediaType, Rendition, Sample, inspect};
use consigne_images::{Refusal, Rendered, render};
use proptest::prelude::*;
use proptest::sample::Index;
use proptest::test_runner::FileFailurePersistence;

fn folder() -> PathBuf {
    PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../core/tests/corpus/files"))
}

fn file(name: &str) -> Vec<u8> {
    std::fs::read(folder().join(name)).unwrap()
}

fn media(name: &str) -> &'static MediaType {
    MediaType::from_name(name).unwrap()
}

/// The files that are decoded: each with its type, in the order of their names.
fn pictures() -> Vec<(String, &'static MediaType)> {
    let names = std::fs::read_dir(folder()).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let mut pictures: Vec<_> = names
        .filter_map(|name| {
            let media = MediaType::from_extension(name.rsplit('.').next()?)?;
            matches!(media.name, "image/png" | "image/jpeg" | "image/gif" | "image/webp").then_some((name, media))
        })
        .collect();
    pictures.sort_by(|a, b| a.0.cmp(&b.0));
    pictures
}

fn measured(bytes: &[u8], media: &MediaType) -> Option<Dimensions> {
    match inspect(Sample { bytes, size: bytes.len() as u64 }, media) {
        Finding::Genuine(measured) => measured.dimensions,
        Finding::Impostor(_) => None,
    }
}

fn has(bytes: &[u8], part: &[u8]) -> bool {
    bytes.windows(part.len()).any(|window| window == part)
}

/// Files that a browser shows in part, or that no decoder reads.
const UNFIT: [&str; 15] = [
    "cut-signature.png",
    "cut.jpg",
    "cut.png",
    "exif-loop.jpg",
    "exif-missing.webp",
    "largest.png",
    "largest.webp",
    "long-chunk.png",
    "no-height.jpg",
    "no-screen.gif",
    "program.png",
    "too-large.png",
    "too-large.webp",
    "zero.png",
    "page-in-image.png",
];

#[test]
fn every_good_picture_has_thumbnails_of_the_size_that_a_browser_shows() {
    let mut wrong = Vec::new();
    for (name, media) in pictures() {
        let bytes = file(&name);
        let rendered = render(&bytes, media, None);
        if UNFIT.contains(&name.as_str()) {
            if rendered.is_ok() {
                wrong.push(format!("{name} was decoded"));
            }
            continue;
        }
        let Ok(rendered) = rendered else {
            wrong.push(format!("{name}: {rendered:?}"));
            continue;
        };
        let made: Vec<_> = rendered.iter().map(|one| (one.rendition, measured(&one.bytes, one.media))).collect();
        let whole = measured(&bytes, media);
        if made != [(Rendition::Small, whole), (Rendition::Large, whole)] {
            wrong.push(format!("{name}: {made:?} instead of {whole:?}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn no_metadata_is_left() {
    for (name, media) in pictures() {
        for Rendered { rendition, bytes, .. } in render(&file(&name), media, None).unwrap_or_default() {
            for part in [&b"Exif"[..], b"EXIF", b"eXIf", b"http://ns.adobe.com", b"<x:xmpmeta", b"XMP ", b"<html>"] {
                assert!(!has(&bytes, part), "{name} {rendition:?} has {}", part.escape_ascii());
            }
        }
    }
}

#[test]
fn a_transparent_picture_stays_transparent_and_others_become_jpegs() {
    for (name, kind) in [("transparent.webp", "image/webp"), ("rgb.png", "image/jpeg"), ("baseline.jpg", "image/jpeg")]
    {
        let media = MediaType::from_extension(name.rsplit('.').next().unwrap()).unwrap();
        for one in render(&file(name), media, None).unwrap() {
            assert_eq!(one.media.name, kind, "{name}");
        }
    }
}

#[test]
fn the_same_file_gives_the_same_thumbnails() {
    for (name, media) in pictures() {
        assert_eq!(render(&file(&name), media, None), render(&file(&name), media, None), "{name}");
    }
}

#[test]
fn a_file_of_another_type_is_damaged() {
    for (name, kind) in [("rgb.png", "image/jpeg"), ("baseline.jpg", "image/png"), ("plain.heic", "image/heic")] {
        assert_eq!(render(&file(name), media(kind), None), Err(Refusal::Damaged), "{name}");
    }
}

/// Decodes a mutated file of a type. Whatever is made of it must be a picture of the right size.
fn decode_mutated(
    media_type: &str,
    which: Index,
    changes: &[(Index, u8)],
    cut: Option<Index>,
    noise: &[u8],
) -> Result<(), TestCaseError> {
    let pictures: Vec<_> = pictures().into_iter().filter(|(_, media)| media.name == media_type).collect();
    let (name, media) = which.get(&pictures);
    let mut bytes = file(name);
    for (at, value) in changes {
        let at = at.index(bytes.len());
        bytes[at] = *value;
    }
    if let Some(cut) = cut {
        bytes.truncate(cut.index(bytes.len()));
        bytes.extend(noise);
    }
    for one in render(&bytes, media, None).unwrap_or_default() {
        let sides = measured(&one.bytes, one.media);
        let sides = sides.ok_or_else(|| TestCaseError::fail(format!("{name} {:?} is no picture", one.rendition)))?;
        prop_assert!(sides.width.max(sides.height) <= one.rendition.side(), "{} {:?}", name, sides);
    }
    Ok(())
}

/// Keeps cases that fail in `proptest-regressions`. It has no folder of its own for tests outside of `src`.
fn kept_beside_the_tests() -> ProptestConfig {
    let file = concat!(env!("CARGO_MANIFEST_DIR"), "/proptest-regressions/corpus.txt");
    ProptestConfig::with_failure_persistence(FileFailurePersistence::Direct(file))
}

/// A target for each decoder. `make fuzz` runs them with other cases, for as long as it is asked to.
macro_rules! targets {
    ($($name:ident: $media_type:literal,)*) => {
        proptest! {
            #![proptest_config(kept_beside_the_tests())]
            $(
            #[test]
            fn $name(
                which in any::<Index>(),
                changes in prop::collection::vec((any::<Index>(), any::<u8>()), 0..12),
                cut in prop::option::of(any::<Index>()),
                noise in prop::collection::vec(any::<u8>(), 0..500),
            ) {
                decode_mutated($media_type, which, &changes, cut, &noise)?;
            }
        )*}
    };
}

targets! {
    mutated_gifs_are_decoded_or_refused: "image/gif",
    mutated_jpegs_are_decoded_or_refused: "image/jpeg",
    mutated_pngs_are_decoded_or_refused: "image/png",
    mutated_webps_are_decoded_or_refused: "image/webp",
}
