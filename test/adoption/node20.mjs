// What the generator of 1.7 wants, and Node has from 21 on.
Object.groupBy ??= (list, key) => {
  const groups = Object.create(null)
  list.forEach((one, i) => (groups[key(one, i)] ??= []).push(one))
  return groups
}
