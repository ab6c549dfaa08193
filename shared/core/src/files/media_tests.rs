use super::*;

#[test]
fn downloads_of_texts_say_that_they_are_utf_8() {
    let served = |name| MediaType::from_name(name).unwrap().served_as();
    assert_eq!(served("text/plain"), "text/plain; charset=utf-8");
    assert_eq!(served("text/markdown"), "text/markdown; charset=utf-8");
    assert_eq!(served("text/html"), "text/html; charset=utf-8");
    for own in ["image/png", "image/svg+xml", "application/pdf"] {
        assert_eq!(served(own), own);
    }
}

#[test]
fn a_type_is_found_whatever_its_case_and_parameters() {
    let html = MediaType::from_name("Text/HTML; charset=utf-8").map(|media| media.name);
    assert_eq!(html, Some("text/html"));
    for unknown in ["", "image", "image/", "image/bmp", "application/x-msdownload"] {
        assert_eq!(MediaType::from_name(unknown), None, "{unknown:?}");
    }
}

#[test]
fn other_names_of_a_type_are_known() {
    for (declared, name) in [
        ("image/jpg", "image/jpeg"),
        ("image/heif", "image/heic"),
        ("video/x-m4v", "video/mp4"),
        ("video/3gpp", "video/mp4"),
        ("text/x-markdown", "text/markdown"),
    ] {
        assert_eq!(MediaType::from_name(declared).map(|media| media.name), Some(name), "{declared}");
    }
}

#[test]
fn a_name_decides_where_the_declared_type_says_nothing() {
    for (declared, filename, name) in [
        ("", "IMG_0001.HEIC", Some("image/heic")),
        ("application/octet-stream", "photo.jfif", Some("image/jpeg")),
        (" Application/Octet-Stream; x=1", "photo.jpe", Some("image/jpeg")),
        ("", "a.hif", Some("image/heic")),
        ("", "a.m4v", Some("video/mp4")),
        ("", "a.md", Some("text/markdown")),
        ("", "a", None),
        ("", "a.exe", None),
        ("image/gif", "a.png", Some("image/gif")),
        ("image/bmp", "a.png", None),
    ] {
        let found = MediaType::of_file(declared, &FileName::parse(filename).unwrap());
        assert_eq!(found.map(|media| media.name), name, "{declared:?} {filename}");
    }
}

#[test]
fn names_and_extensions_are_used_once() {
    let aliases = MEDIA_TYPES.iter().flat_map(|media| media.aliases.iter().copied());
    let mut names: Vec<_> = MediaType::names().chain(aliases).collect();
    let mut extensions: Vec<_> = MEDIA_TYPES.iter().flat_map(|media| media.extensions).collect();
    let counts = (names.len(), extensions.len());
    names.sort_unstable();
    names.dedup();
    extensions.sort_unstable();
    extensions.dedup();
    assert_eq!((names.len(), extensions.len()), counts);
}

#[test]
fn kinds_read_back() {
    for kind in Kind::ALL {
        assert_eq!(Kind::from_name(kind.name()), Some(kind));
        assert_eq!(Kind::from_folder(kind.folder()), Some(kind));
    }
}
