// Package strictjson reads one JSON object in UTF-8 and rejects duplicate keys,
// unknown members and data after it, so that nothing in a payload is lost or guessed.
// Text that is not such an object is an error that says where. What is wrong with
// its members is collected under their paths, so that all of it is reported at
// once.
package strictjson
