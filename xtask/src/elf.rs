//! Makes a program that was linked against a newer C library start on an older one.
//!
//! A program names, for each function that it imports, the version of the library in which the function came. Of a few
//! functions only the name is new: `__isoc23_strtol` is `strtol` to whoever reads no binary digits. Those imports are
//! renamed to the older function and lose their version, and the version is no longer asked for.

/// Where things are in the section header table, and how large.
#[derive(Clone, Copy)]
struct Section {
    kind: u32,
    offset: usize,
    size: usize,
    link: usize,
}

const SYMBOLS: u32 = 11;
const SYMBOL_VERSIONS: u32 = 0x6fff_ffff;
const NEEDED_VERSIONS: u32 = 0x6fff_fffe;

const SYMBOL_SIZE: usize = 24;
/// An import with this binding may be missing.
const WEAK: u8 = 2;
/// A version with this flag may be missing.
const WEAK_VERSION: u16 = 2;
/// The version of an import that takes whatever there is.
const ANY_VERSION: u16 = 1;

/// What the names of C23's number parsers begin with; the rest is the name that they had before.
const RENAMED: &str = "__isoc23_";

/// Relaxes the imports whose versions are listed. `None` where this is no 64-bit little-endian ELF file.
pub(crate) fn relax_versions(image: &mut [u8], too_new: &[&str]) -> Option<()> {
    let sections = sections(image)?;
    let find = |kind| sections.iter().find(|section| section.kind == kind).copied();
    let (symbols, versions) = (find(SYMBOLS)?, find(SYMBOL_VERSIONS)?);
    let names = sections.get(symbols.link)?.offset;
    let relaxed = relax_needed(image, find(NEEDED_VERSIONS)?, &sections, too_new)?;
    for index in 0..symbols.size / SYMBOL_SIZE {
        let version_at = versions.offset + 2 * index;
        if !relaxed.contains(&u16_at(image, version_at)?) {
            continue;
        }
        let symbol = symbols.offset + index * SYMBOL_SIZE;
        let name = u32_at(image, symbol)?;
        if text_at(image, names + usize::try_from(name).ok()?)?.starts_with(RENAMED) {
            let renamed = name + u32::try_from(RENAMED.len()).ok()?;
            put(image, symbol, &renamed.to_le_bytes())?;
        }
        let info = *image.get(symbol + 4)?;
        put(image, symbol + 4, &[info & 0xf | WEAK << 4])?;
        put(image, version_at, &ANY_VERSION.to_le_bytes())?;
    }
    Some(())
}

fn sections(image: &[u8]) -> Option<Vec<Section>> {
    if !image.starts_with(b"\x7fELF\x02\x01") {
        return None;
    }
    let table = usize_at(image, 0x28)?;
    let (size, count) = (usize::from(u16_at(image, 0x3a)?), usize::from(u16_at(image, 0x3c)?));
    let section = |index| {
        let at = table + index * size;
        Some(Section {
            kind: u32_at(image, at + 4)?,
            offset: usize_at(image, at + 24)?,
            size: usize_at(image, at + 32)?,
            link: usize::try_from(u32_at(image, at + 40)?).ok()?,
        })
    };
    (0..count).map(section).collect()
}

/// Marks the listed versions as dispensable and returns their indices.
fn relax_needed(
    image: &mut [u8],
    needed: Section,
    sections: &[Section],
    too_new: &[&str],
) -> Option<Vec<u16>> {
    let names = sections.get(needed.link)?.offset;
    let mut relaxed = Vec::new();
    let mut library = needed.offset;
    loop {
        let mut version = library + usize::try_from(u32_at(image, library + 8)?).ok()?;
        for _ in 0..u16_at(image, library + 2)? {
            let name = names + usize::try_from(u32_at(image, version + 8)?).ok()?;
            if too_new.contains(&text_at(image, name)?) {
                let flags = u16_at(image, version + 4)? | WEAK_VERSION;
                put(image, version + 4, &flags.to_le_bytes())?;
                relaxed.push(u16_at(image, version + 6)?);
            }
            version += usize::try_from(u32_at(image, version + 12)?).ok()?;
        }
        match u32_at(image, library + 12)? {
            0 => return Some(relaxed),
            next => library += usize::try_from(next).ok()?,
        }
    }
}

fn u16_at(image: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_le_bytes(*image.get(at..)?.first_chunk()?))
}

fn u32_at(image: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_le_bytes(*image.get(at..)?.first_chunk()?))
}

fn usize_at(image: &[u8], at: usize) -> Option<usize> {
    usize::try_from(u64::from_le_bytes(*image.get(at..)?.first_chunk()?)).ok()
}

fn text_at(image: &[u8], at: usize) -> Option<&str> {
    std::ffi::CStr::from_bytes_until_nul(image.get(at..)?).ok()?.to_str().ok()
}

fn put(image: &mut [u8], at: usize, bytes: &[u8]) -> Option<()> {
    image.get_mut(at..at + bytes.len())?.copy_from_slice(bytes);
    Some(())
}
