# Reads what `abidiff --leaf-changes-only --harmless --redundant` says about an older minor's baseline and today's
# header, and fails on every line that is more than fields appended to a struct that can grow. What it doesn't know, it
# refuses. A suppression file can't say this: libabigail 2.2 lets a type pass whole once one of its insertions is at the
# end, changed signatures of its other fields included.
function refuse(why) { print "abi: " why ": " $0; bad = 1 }

/^[ \t]*$/ { next }
/^Leaf changes summary:/ || /^Changed leaf types summary:/ || /^(Functions|Variables) changes summary:/ { next }
/^Removed\/Changed\/Added (functions|variables) summary: 0 Removed,/ { next }
/^[0-9]+ Changed variables?:$/ { next }
/^ *\[C\] '.*' was changed( at .*)?:$/ || /^ *type of variable changed:$/ || /^ *size of symbol changed from / { next }
/^ *details were reported earlier$/ { next }

/'struct [a-z0-9_]+( at [^']*)?'( at [^ ]*)? changed:$/ {
  match($0, /struct [a-z0-9_]+/)
  name = substr($0, RSTART + 7, RLENGTH - 7)
  old_size = -1
  if (name ~ frozen) refuse("a frozen type changed")
  next
}
/^ *type size changed from [0-9]+ to [0-9]+ \(in bits\)$/ {
  match($0, /from [0-9]+/)
  old_size = substr($0, RSTART + 5, RLENGTH - 5) + 0
  next
}
/^ *type size hasn't changed$/ || /^ *[0-9]+ data member insertions?:$/ { next }
/^ *'.*', at offset [0-9]+ \(in bits\)/ {
  match($0, /at offset [0-9]+/)
  offset = substr($0, RSTART + 10, RLENGTH - 10) + 0
  if (old_size < 0 || offset < old_size) refuse("a field inside " name)
  next
}
{ refuse("not only grown") }
END { exit bad }
