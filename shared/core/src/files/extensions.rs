//! File name extensions of formats that cannot be uploaded.
//!
//! A name with one of them says that the file is something else than it is declared to be, so it is refused. A dot in a
//! name means nothing otherwise: `v1.2 release notes` and `Meeting 10.30` have no extension.

/// The extensions, in lower case, by what they belong to.
const FOREIGN: &[&str] = &[
    // Programs, scripts and links, which run when they are opened.
    "apk app appimage application appref-ms appx bat bin chm class cmd com cpl deb dll dmg exe gadget hta \
     inf ipa jar js jse lnk mjs msc msi msix msp pif pkg ps1 psm1 py pyc rb reg rpm scf scr sh so swf sys \
     url vbe vbs wasm webloc wsf wsh",
    // Pages and code of web servers.
    "asp aspx cgi css htaccess jsp mht mhtml phar php php5 phtml pl shtml xht xhtml xml xsl",
    // Archives and images of disks.
    "7z bz2 cab gz img iso lz rar svgz tar tgz vhd xz zst",
    // Documents, tables and data.
    "azw azw3 doc docm dot dotm eml eps mobi msg odp ods odt one pot pps ppsx ppt pptm \
     ps rtf sqlite tsv xla xlam xls xlsb xlsm",
    // Images.
    "ai arw bmp cr2 cr3 cur dng ico j2k jp2 jpx jxl nef orf psb psd raf raw rw2 tga tif tiff wmf",
    // Sound and films.
    "aac aif aiff amr asf avi flac flv m2ts m4b mid mkv mpeg mpg mts oga ogg ogv opus vob \
     weba wma wmv",
    // Fonts.
    "eot otf ttf woff woff2",
];

/// Returns whether an extension (without dot, any case) belongs to a format that cannot be uploaded.
pub(super) fn is_foreign(extension: &str) -> bool {
    extensions().any(|foreign| foreign.eq_ignore_ascii_case(extension))
}

fn extensions() -> impl Iterator<Item = &'static str> {
    FOREIGN.iter().flat_map(|group| group.split_ascii_whitespace())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::files::MediaType;

    #[test]
    fn no_extension_of_a_supported_type_is_foreign() {
        for extension in extensions() {
            assert_eq!(MediaType::from_extension(extension), None, "{extension}");
            assert_eq!(extension, extension.to_ascii_lowercase());
        }
    }
}
