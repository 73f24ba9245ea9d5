//! Which installed distribution a source file belongs to: by its name mostly, by the distributions' own lists of
//! files where that tells nothing. Asked once for each directory of sources that caused something.

use std::collections::HashMap;
use std::fs::File;
use std::io::Read as _;
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;

use crate::paths;
use crate::process;

/// How much of a distribution's list of files is looked at.
const MAX_LIST_BYTES: u64 = 4 * 1024 * 1024;
/// Components of a module's name that a distribution's name may spell out (`google-cloud-storage`).
const MAX_PARTS: usize = 4;
/// Modules of distributions that are called otherwise.
const KNOWN: [(&str, &str); 16] = [
    ("PIL", "pillow"),
    ("attr", "attrs"),
    ("bs4", "beautifulsoup4"),
    ("cv2", "opencv-python"),
    ("dateutil", "python-dateutil"),
    ("docx", "python-docx"),
    ("dotenv", "python-dotenv"),
    ("fitz", "pymupdf"),
    ("jwt", "pyjwt"),
    ("pkg_resources", "setuptools"),
    ("pptx", "python-pptx"),
    ("serial", "pyserial"),
    ("skimage", "scikit-image"),
    ("sklearn", "scikit-learn"),
    ("yaml", "pyyaml"),
    ("zmq", "pyzmq"),
];

/// What is known so far of the library directories that were asked about.
#[derive(Default)]
pub struct Distributions {
    listings: HashMap<Vec<u8>, Listing>,
    /// By directory of sources; a module that is a single file stands for itself. A package that belongs to one
    /// distribution as a whole has an entry, too.
    owners: HashMap<Vec<u8>, String>,
}

/// The distributions of one library directory: normalised name, and name and version as its directory spells them.
type Listing = Vec<(String, String)>;

impl Distributions {
    /// Takes `names` (`NAME-VERSION`) for what is installed in `root`, whatever is there now.
    pub fn learn(&mut self, root: Vec<u8>, names: Vec<String>) {
        self.listings.entry(root).or_insert_with(|| listing(names));
    }

    /// The name of the distribution that holds the source file at `path` below the library directory `root`.
    /// The name of the top-level module where none says so.
    pub fn owner(&mut self, root: &[u8], path: &[u8]) -> &str {
        let (directory, _) = paths::split(path);
        let asked = if directory.is_empty() { path } else { directory };
        let key = [root, b"/", asked].concat();
        if !self.owners.contains_key(&key) {
            let owner = self.find(root, asked);
            self.owners.insert(key.clone(), owner);
        }
        self.owners.get(&key).map_or("", String::as_str)
    }

    /// The version of the distribution called `name` in `root`, as its directory spells it.
    pub fn version(&mut self, root: &[u8], name: &str) -> Option<String> {
        let listing = self.listings.entry(root.to_vec()).or_insert_with(|| list(root));
        let name = normalised(name);
        let (_, entry) = listing.iter().find(|(known, _)| *known == name)?;
        entry.split('-').nth(1).map(str::to_owned)
    }

    fn find(&mut self, root: &[u8], asked: &[u8]) -> String {
        let listing = self.listings.entry(root.to_vec()).or_insert_with(|| list(root));
        let parts = module_parts(asked);
        if let Some(owner) = named_like(&parts, listing) {
            return owner;
        }
        let top = parts.into_iter().next().unwrap_or_default();
        let package = [root, b"/", top.as_bytes()].concat();
        if let Some(owner) = self.owners.get(&package) {
            return owner.clone();
        }
        let lists = |entry: &&(String, String)| lists_file(root, &entry.1, asked);
        let owner = listing.iter().find(lists).or_else(|| known_as(&top, listing));
        let owner = owner.map_or(top, |(_, entry)| name_of(entry));
        // A namespace package may belong to several.
        if is_there(&[&package, &b"/__init__.py"[..]].concat()) {
            self.owners.insert(package, owner.clone());
        }
        owner
    }
}

fn list(root: &[u8]) -> Listing {
    listing(process::distributions(root))
}

fn listing(names: Vec<String>) -> Listing {
    let entries = names.into_iter();
    entries.map(|entry| (normalised(entry.split('-').next().unwrap_or_default()), entry)).collect()
}

/// The distribution that is known to hold the module `top`, if it is installed: for those without a list of files, and
/// for listings of other machines.
fn known_as<'a>(top: &str, listing: &'a Listing) -> Option<&'a (String, String)> {
    let (_, name) = KNOWN.iter().find(|(module, _)| *module == top)?;
    listing.iter().find(|(known, _)| known == name)
}

/// The distribution whose name is that of the module, or of the longest start of it.
fn named_like(parts: &[String], listing: &Listing) -> Option<String> {
    (1..=parts.len()).rev().find_map(|count| {
        let name = normalised(&parts.get(..count)?.join("-"));
        listing.iter().find(|(known, _)| *known == name).map(|(_, entry)| name_of(entry))
    })
}

fn is_there(path: &[u8]) -> bool {
    rustix::fs::access(path, rustix::fs::Access::EXISTS).is_ok()
}

fn name_of(entry: &str) -> String {
    entry.split('-').next().unwrap_or_default().to_owned()
}

/// The components of a module's name, from the directory or the single file that holds it.
fn module_parts(asked: &[u8]) -> Vec<String> {
    let text = String::from_utf8_lossy(asked);
    let parts = text.split('/').filter(|part| !part.is_empty()).take(MAX_PARTS);
    parts.map(|part| part.split('.').next().unwrap_or_default().to_owned()).collect()
}

/// Whether the distribution `entry` says that it installed something at `asked` (PEP 376's `RECORD`).
fn lists_file(root: &[u8], entry: &str, asked: &[u8]) -> bool {
    let root = Path::new(std::ffi::OsStr::from_bytes(root));
    let Ok(file) = File::open(root.join(format!("{entry}.dist-info/RECORD"))) else {
        return false;
    };
    let mut content = vec![b'\n'];
    let is_read = file.take(MAX_LIST_BYTES).read_to_end(&mut content).is_ok();
    let line = [b"\n", asked].concat();
    is_read && memchr::memmem::find(&content, &line).is_some()
}

/// A distribution's name as PEP 503 compares it.
#[must_use]
pub fn normalised(name: &str) -> String {
    let mut result = String::with_capacity(name.len());
    for letter in name.chars() {
        match letter {
            '-' | '_' | '.' if result.ends_with('-') => {}
            '-' | '_' | '.' => result.push('-'),
            other => result.push(other.to_ascii_lowercase()),
        }
    }
    result
}

#[cfg(test)]
mod tests {
    use super::*;

    fn installed(records: &[(&str, &str)]) -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        for (entry, record) in records {
            let directory = folder.path().join(format!("{entry}.dist-info"));
            std::fs::create_dir(&directory).unwrap();
            std::fs::write(directory.join("RECORD"), record).unwrap();
        }
        folder
    }

    #[test]
    fn a_source_belongs_to_the_distribution_of_its_name_or_the_one_that_lists_it() {
        let folder = installed(&[
            ("urllib3-2.2.3", "urllib3/__init__.py,,\n"),
            ("google_cloud_storage-2.0", ""),
            ("google_auth-2.0", "google/auth/__init__.py,,\n"),
            ("PyYAML-6.0", "PyYAML-6.0.dist-info/RECORD,,\nyaml/__init__.py,,\n_yaml/__init__.py,,\n"),
            ("six-1.16.0", "six.py,,\n"),
        ]);
        std::fs::create_dir(folder.path().join("yaml")).unwrap();
        std::fs::write(folder.path().join("yaml/__init__.py"), "").unwrap();
        let root = folder.path().as_os_str().as_bytes();
        let mut known = Distributions::default();
        for (path, owner) in [
            ("urllib3/util/retry.py", "urllib3"),
            ("google/cloud/storage/blob.py", "google_cloud_storage"),
            ("google/auth/transport/requests.py", "google_auth"),
            ("yaml/loader.py", "PyYAML"),
            ("yaml/deeper/x.py", "PyYAML"),
            ("six.py", "six"),
            ("home_made/x.py", "home_made"),
            ("single.cpython-312-x86_64-linux-gnu.so", "single"),
        ] {
            assert_eq!(known.owner(root, path.as_bytes()), owner, "{path}");
        }
        assert_eq!(Distributions::default().owner(b"/nowhere", b"six.py"), "six");
    }

    #[test]
    fn what_was_installed_elsewhere_is_told_by_its_listing() {
        let mut known = Distributions::default();
        known.learn(b"/nowhere".to_vec(), vec!["PyYAML-5.3.1".to_owned(), "six-1.16.0".to_owned()]);
        assert_eq!(known.owner(b"/nowhere", b"yaml/loader.py"), "PyYAML");
        assert_eq!(known.version(b"/nowhere", "pyyaml").as_deref(), Some("5.3.1"));
        assert_eq!(known.owner(b"/nowhere", b"sklearn/svm.py"), "sklearn");
    }

    #[test]
    fn names_compare_as_pep_503_says() {
        assert_eq!(normalised("Zope._.Interface"), "zope-interface");
    }
}
