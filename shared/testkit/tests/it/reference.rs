//! The pages of docs/reference show what the code says.

use consigne_testkit::payload::built;
use consigne_testkit::reference::pages;

#[test]
fn the_generated_pages_are_up_to_date() {
    for page in pages(&built("consigne")) {
        let path = page.path;
        assert!(page.written() == page.filled_in(), "{path} is out of date; `make reference` writes it");
    }
}
