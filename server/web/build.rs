//! Rebuilds the crate when the page in `client/dist` changes: the files are part of the binary.

fn main() {
    println!("cargo::rerun-if-changed=../../client/dist");
}
