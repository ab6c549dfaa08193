//! Makes the renditions of a file and tells time, peak memory and sizes. With `FOLDER` it writes them there.
//!
//! `cargo run -p consigne-images --example measure -- photo.jpg [FOLDER]`

use std::error::Error;
use std::io::Write as _;
use std::time::Instant;

use consigne_core::files::MediaType;
use consigne_images::render;

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let path = arguments.next().ok_or("name a picture")?;
    let media = path.rsplit('.').next().and_then(MediaType::from_extension).ok_or("the extension is unknown")?;
    let bytes = std::fs::read(&path)?;
    let begun = Instant::now();
    let rendered = render(&bytes, media, None).map_err(|refusal| format!("{refusal:?}"))?;
    let (time, mut out) = (begun.elapsed(), std::io::stdout());
    // Only Linux tells it. Source: proc(5), `status`.
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).map_or("unknown", str::trim);
    writeln!(out, "{} bytes: {} ms, peak memory {peak}, the file included", bytes.len(), time.as_millis())?;
    let folder = arguments.next();
    for one in rendered {
        let name = format!("{}.{}", one.rendition.name(), one.media.extensions[0]);
        writeln!(out, "{name}: {} bytes", one.bytes.len())?;
        if let Some(folder) = &folder {
            std::fs::write(format!("{folder}/{name}"), &one.bytes)?;
        }
    }
    Ok(())
}
