package template_test

import (
	"debug/elf"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

const (
	module = "github.com/headgate/headgate"
	root   = "../../.."
	sdk    = "github.com/aws/aws-sdk-go-v2/service/"
)

// program is the code that the linker kept in a function's binary.
//
// The linker drops methods that no reachable code calls, directly or through an
// interface. What it drops cannot run; some of what it keeps may not run either.
// The names of what it kept come from the binary's symbols, and what that code
// does from its source.
type program struct {
	// called holds the methods of the SDK's clients, as actions: dynamodb:GetItem.
	called map[string]bool
	decls  []declaration
}

// declaration is a function of this module, as a symbol and as its source.
type declaration struct {
	symbol  string
	imports map[string]string
	// consts holds the string constants of its package, by name.
	consts map[string]string
	source *ast.FuncDecl
}

// uncalled lists methods of clients that are never called, but that the linker keeps.
var uncalled = map[string]string{
	"dynamodb:DescribeEndpoints": "used by the SDK for endpoint discovery, which is off by default",
}

// build compiles every function as it is deployed, but with symbols, and without
// inlining, which would hide a function in its caller.
func build(dir string) error {
	cmd := exec.Command("go", "build", "-trimpath", "-buildvcs=false", "-tags", "lambda.norpc",
		"-ldflags", "-w", "-gcflags", module+"/...=-l", "-o", dir+"/", "./functions/...")
	cmd.Dir = root
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0", "GOOS=linux")
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("build functions: %w\n%s", err, out)
	}
	return nil
}

// readPrograms returns the programs in dir by the names of their functions.
func readPrograms(dir string) (map[string]program, error) {
	declared, err := declarations()
	if err != nil {
		return nil, err
	}
	files, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	programs := map[string]program{}
	for _, file := range files {
		name := file.Name()
		if programs[name], err = readProgram(filepath.Join(dir, name), name, declared); err != nil {
			return nil, err
		}
	}
	return programs, nil
}

var clientMethod = regexp.MustCompile(`^` + regexp.QuoteMeta(sdk) + `(\w+)\.\(\*Client\)\.([A-Z]\w*)$`)

// typeArguments matches type arguments in the symbol of a generic function.
var typeArguments = regexp.MustCompile(`\[.*\]`)

// notOperations lists exported methods of a client that do not call AWS.
var notOperations = []string{"Options"}

func readProgram(path, name string, declared []declaration) (program, error) {
	file, err := elf.Open(path)
	if err != nil {
		return program{}, err
	}
	defer file.Close()
	symbols, err := file.Symbols()
	if err != nil {
		return program{}, fmt.Errorf("read symbols of %s: %w", name, err)
	}
	linked := map[string]bool{}
	p := program{called: map[string]bool{}}
	for _, symbol := range symbols {
		linked[typeArguments.ReplaceAllString(symbol.Name, "")] = true
		if m := clientMethod.FindStringSubmatch(symbol.Name); m != nil && !slices.Contains(notOperations, m[2]) {
			p.called[m[1]+":"+m[2]] = true
		}
	}
	maps.DeleteFunc(p.called, func(action string, _ bool) bool { return uncalled[action] != "" })
	for _, d := range declared {
		if main, ok := strings.CutPrefix(d.symbol, module+"/functions/"+name+"."); ok && linked["main."+main] || linked[d.symbol] {
			p.decls = append(p.decls, d)
		}
	}
	return p, nil
}

// declarations returns all functions of the module, without tests.
func declarations() ([]declaration, error) {
	var all []declaration
	consts := map[string]map[string]string{}
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		name := d.Name()
		if d.IsDir() && path != root && (strings.HasPrefix(name, ".") || name == "testdata" || name == "bin") {
			return fs.SkipDir
		}
		if !strings.HasSuffix(name, ".go") || strings.HasSuffix(name, "_test.go") {
			return nil
		}
		file, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.SkipObjectResolution)
		if err != nil {
			return err
		}
		dir, err := filepath.Rel(root, filepath.Dir(path))
		if err != nil {
			return err
		}
		pkg := module + "/" + filepath.ToSlash(dir)
		if consts[pkg] == nil {
			consts[pkg] = map[string]string{}
		}
		addConsts(consts[pkg], file)
		all = append(all, declarationsOf(file, pkg, consts[pkg])...)
		return nil
	})
	return all, err
}

func addConsts(consts map[string]string, file *ast.File) {
	for _, d := range file.Decls {
		general, ok := d.(*ast.GenDecl)
		if !ok || general.Tok != token.CONST {
			continue
		}
		for _, spec := range general.Specs {
			values := spec.(*ast.ValueSpec)
			for i, value := range values.Values {
				if s, ok := literal(value); ok {
					consts[values.Names[i].Name] = s
				}
			}
		}
	}
}

// literal returns the value of e if it is a string literal.
func literal(e ast.Expr) (string, bool) {
	lit, ok := e.(*ast.BasicLit)
	if !ok || lit.Kind != token.STRING {
		return "", false
	}
	s, err := strconv.Unquote(lit.Value)
	return s, err == nil
}

func declarationsOf(file *ast.File, pkg string, consts map[string]string) []declaration {
	imports := map[string]string{}
	for _, spec := range file.Imports {
		path, _ := strconv.Unquote(spec.Path.Value) // the parser has checked it
		name := path[strings.LastIndex(path, "/")+1:]
		if spec.Name != nil {
			name = spec.Name.Name
		}
		imports[name] = path
	}
	var all []declaration
	for _, d := range file.Decls {
		if f, ok := d.(*ast.FuncDecl); ok {
			all = append(all, declaration{symbol: pkg + "." + receiver(f) + f.Name.Name, imports: imports, consts: consts, source: f})
		}
	}
	return all
}

// receiver returns the part of a method's symbol that names its receiver.
func receiver(f *ast.FuncDecl) string {
	if f.Recv == nil {
		return ""
	}
	t, pointer := f.Recv.List[0].Type.(*ast.StarExpr)
	if pointer {
		return "(*" + baseName(t.X) + ")."
	}
	return baseName(f.Recv.List[0].Type) + "."
}

// baseName returns a type's name without its type parameters.
func baseName(t ast.Expr) string {
	switch t := t.(type) {
	case *ast.Ident:
		return t.Name
	case *ast.IndexExpr:
		return baseName(t.X)
	case *ast.IndexListExpr:
		return baseName(t.X)
	}
	return ""
}

// each calls visit with every node of type N in the program's code.
func each[N ast.Node](p program, visit func(declaration, N)) {
	for _, d := range p.decls {
		ast.Inspect(d.source, func(n ast.Node) bool {
			if n, ok := n.(N); ok {
				visit(d, n)
			}
			return true
		})
	}
}

// strings returns the strings in the program's code, as literals or as constants,
// each with one function that has it.
func (p program) strings() map[string]declaration {
	found := map[string]declaration{}
	each(p, func(d declaration, e ast.Expr) {
		if s, ok := literal(e); ok {
			found[s] = d
		}
		if name, ok := e.(*ast.Ident); ok && d.consts[name.Name] != "" {
			found[d.consts[name.Name]] = d
		}
	})
	return found
}

// qualified returns the import path and the name if n has the form pkg.Name.
func (d declaration) qualified(n ast.Expr) (path, name string) {
	if s, ok := n.(*ast.SelectorExpr); ok {
		if x, ok := s.X.(*ast.Ident); ok {
			return d.imports[x.Name], s.Sel.Name
		}
	}
	return "", ""
}
